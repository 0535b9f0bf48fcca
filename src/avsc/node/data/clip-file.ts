// A decoded clip on disk: a header, then one record per second, so that one read gets any second.
//
//   magic "WLCLIP01" | seconds u32 | size u32 | crc32 of each record, u32 each | crc32 of all before, u32
//   then per second: features f32 [6, 128, 39], pictures u8 [2, 3, size, size]        (little endian)

import { open, stat, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../../features/logmel.ts';
import { writeFileAtomic } from '../../../node/files.ts';
import { FRAME_TIMES } from './media.ts';

/** Values of the features of one second, [6, 128, 39]. */
export const AUDIO_VALUES = FEATURE_CHANNELS * MELS * FRAMES_PER_SECOND;
/** Pictures of one second. */
const FRAMES = FRAME_TIMES.length;

const MAGIC = 'WLCLIP01';
const FIXED_BYTES = MAGIC.length + 8;
const MAX_SECONDS = 3600;

/** One second of a clip. */
export interface Second {
  /** Log-mel features [6, 128, 39]. */
  readonly audio: Float32Array;
  /** RGB bytes [2, 3, size, size]. */
  readonly frames: Uint8Array;
}

/** Header of a decoded clip. */
export interface ClipFile {
  readonly path: string;
  readonly seconds: number;
  readonly size: number;
  readonly checksums: Uint32Array;
}

/** Bytes of the pictures of one second, [2, 3, size, size]. */
export function frameBytes(size: number): number {
  return FRAMES * 3 * size * size;
}

/** Writes all seconds of a clip atomically. Throws a StorageError if writing fails. */
export async function writeClipFile(path: string, size: number, seconds: readonly Second[]): Promise<void> {
  const pieces = seconds.flatMap(({ audio, frames }) => [bytesOf(audio), frames]);
  const header = new Uint8Array(headerBytes(seconds.length));
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, seconds.length, true);
  view.setUint32(12, size, true);
  seconds.forEach((second, i) => view.setUint32(FIXED_BYTES + 4 * i, checksum(second), true));
  const end = header.length - 4;
  view.setUint32(end, crc32(header.subarray(0, end)), true);
  await writeFileAtomic(path, [header, ...pieces]);
}

/** Reads and checks the header and the file's length. Throws, naming the file, if either is damaged or missing. */
export async function openClipFile(path: string): Promise<ClipFile> {
  return withFile(path, async (file) => {
    const fixed = await readBytes(file, path, 0, FIXED_BYTES);
    const seconds = new DataView(fixed.buffer).getUint32(8, true);
    const size = new DataView(fixed.buffer).getUint32(12, true);
    const magic = String.fromCharCode(...fixed.subarray(0, MAGIC.length));
    if (magic !== MAGIC || seconds < 1 || seconds > MAX_SECONDS || size < 1 || size > 4096) {
      throw damaged(path, 'its header is not one of a decoded clip');
    }
    const header = await readBytes(file, path, 0, headerBytes(seconds));
    const view = new DataView(header.buffer);
    const end = header.length - 4;
    if (crc32(header.subarray(0, end)) !== view.getUint32(end, true)) {
      throw damaged(path, "its header's checksum is wrong");
    }
    const expected = header.length + seconds * recordBytes(size);
    const found = (await stat(path)).size;
    if (found !== expected) throw damaged(path, `it has ${found} bytes, its header says ${expected}`);
    const checksums = Uint32Array.from({ length: seconds }, (_, i) =>
      view.getUint32(FIXED_BYTES + 4 * i, true),
    );
    return { path, seconds, size, checksums };
  });
}

/** Reads one second of a clip. Throws, naming the file, if its checksum is wrong. */
export async function readSecond(clip: ClipFile, second: number): Promise<Second> {
  return withFile(clip.path, (file) => readFrom(file, clip, second));
}

/** Reads every second of a clip once and throws, naming the file, if one is damaged. */
export async function verifyClipFile(clip: ClipFile): Promise<void> {
  await withFile(clip.path, async (file) => {
    for (let second = 0; second < clip.seconds; second++) await readFrom(file, clip, second);
  });
}

async function readFrom(file: FileHandle, clip: ClipFile, second: number): Promise<Second> {
  if (!Number.isInteger(second) || second < 0 || second >= clip.seconds) {
    throw new RangeError(`${clip.path} has ${clip.seconds} seconds, second ${second} was asked for`);
  }
  const length = recordBytes(clip.size);
  const record = await readBytes(file, clip.path, headerBytes(clip.seconds) + second * length, length);
  if (crc32(record) !== clip.checksums[second]) {
    throw damaged(clip.path, `the checksum of second ${second} is wrong`);
  }
  return {
    audio: new Float32Array(record.buffer, 0, AUDIO_VALUES),
    frames: record.subarray(AUDIO_VALUES * 4),
  };
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readBytes(
  file: FileHandle,
  path: string,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead < length) throw damaged(path, `it ends after ${position + bytesRead} bytes`);
  return bytes;
}

function damaged(path: string, reason: string): Error {
  return new Error(
    `the decoded clip ${path} is damaged (${reason}): run "wavelight prepare" again to remake it`,
  );
}

function checksum({ audio, frames }: Second): number {
  return crc32(frames, crc32(bytesOf(audio)));
}

function headerBytes(seconds: number): number {
  return FIXED_BYTES + 4 * seconds + 4;
}

function recordBytes(size: number): number {
  return AUDIO_VALUES * 4 + frameBytes(size);
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
