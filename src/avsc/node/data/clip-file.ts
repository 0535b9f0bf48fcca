// A prepared clip on disk: its sound as integers of the file it came from, and the two frames of each second as RGB bytes.
//
// A record file (records.ts) of one record a second: sound [2, 48000] of the header's format, then pictures u8 [2, 3, height, width].
// Tags: format of the sound (0 i16, 1 i24 packed in 3 bytes, 2 f32), height, width, 0. A clip without pictures has height 0. Little endian.

import { open } from 'node:fs/promises';
import { SAMPLE_RATE, type Stereo } from '../../audio/clip.ts';
import { frameBytes, openRecords, readPart, writeRecords, type RecordFile } from './records.ts';
import { decodeSamples, encodeSamples, formatOf, SAMPLE_BYTES, SOUND_FORMATS } from './samples.ts';
import type { SoundFormat } from './samples.ts';

const CLIP_MAGIC = 'WLCLIP02';

/** Position of a record's parts. */
export const SOUND_PART = 0;
export const PICTURES_PART = 1;

/** No picture is stored larger. */
const MAX_SIDE = 256;

/** Pictures of a clip: RGB bytes [seconds, 2, 3, height, width]. */
interface StoredPictures {
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

/** Header of a prepared clip. */
export interface ClipFile {
  readonly path: string;
  readonly seconds: number;
  readonly format: SoundFormat;
  /** Size of the pictures; 0 x 0 if there are none. */
  readonly height: number;
  readonly width: number;
  readonly records: RecordFile;
}

/** Bytes of the sound of one second. */
export function soundBytes(format: SoundFormat): number {
  return 2 * SAMPLE_RATE * SAMPLE_BYTES[format];
}

/** Writes a clip atomically: its seconds of sound, in the smallest format that keeps every bit, and its pictures. Throws a StorageError. */
export async function writeClipFile(
  path: string,
  seconds: readonly Stereo[],
  pictures: StoredPictures | null,
): Promise<void> {
  const format = formatOf(seconds.flat());
  const { height, width } = pictures ?? { height: 0, width: 0 };
  const bytes = frameBytes(height, width);
  const records = seconds.map(([left, right], i) => {
    const sound = new Uint8Array(soundBytes(format));
    encodeSamples(left, format, sound.subarray(0, sound.length / 2));
    encodeSamples(right, format, sound.subarray(sound.length / 2));
    return pictures ? [sound, pictures.data.subarray(i * bytes, (i + 1) * bytes)] : [sound];
  });
  const tags = [SOUND_FORMATS.indexOf(format), height, width, 0] as const;
  const parts = pictures ? [soundBytes(format), bytes] : [soundBytes(format)];
  await writeRecords(path, { magic: CLIP_MAGIC, tags, parts }, records);
}

/** Reads and checks the header and the file's length. Throws, naming the file, if either is damaged or missing. */
export async function openClipFile(path: string): Promise<ClipFile> {
  const records = await openRecords(path, CLIP_MAGIC);
  const [code, height, width] = records.tags;
  const format = SOUND_FORMATS[code];
  const pictures = records.parts[PICTURES_PART];
  const fits =
    format !== undefined &&
    records.parts[SOUND_PART] === soundBytes(format) &&
    height <= MAX_SIDE &&
    width <= MAX_SIDE &&
    (pictures === undefined ? height === 0 : height > 0 && pictures === frameBytes(height, width));
  if (!fits) throw new Error(`the prepared ${path} is damaged (sizes of its records): remove it`);
  return { path, seconds: records.records, format, height, width, records };
}

/** One second of sound, in [-1, 1]. Throws, naming the file, if its checksum is wrong. */
export async function readSound(clip: ClipFile, second: number): Promise<Stereo> {
  return (await readSounds(clip, second, second + 1))[0] as Stereo;
}

/** Seconds [from, to) of sound. */
export async function readSounds(clip: ClipFile, from = 0, to = clip.seconds): Promise<Stereo[]> {
  return withHandle(clip, async (read) => {
    const bytes = new Uint8Array(soundBytes(clip.format));
    const seconds: Stereo[] = [];
    for (let second = from; second < to; second++) {
      await read(second, SOUND_PART, bytes);
      const values = new Float32Array(2 * SAMPLE_RATE);
      decodeSamples(bytes, clip.format, values);
      seconds.push([values.subarray(0, SAMPLE_RATE), values.subarray(SAMPLE_RATE)]);
    }
    return seconds;
  });
}

/** Pictures of seconds [from, to), RGB bytes [to - from, 2, 3, height, width]. Throws, naming the file, if there are none or a checksum is wrong. */
export async function readPictures(
  clip: ClipFile,
  from = 0,
  to = clip.seconds,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = frameBytes(clip.height, clip.width);
  if (bytes === 0) throw new Error(`the prepared ${clip.path} has no pictures`);
  return withHandle(clip, async (read) => {
    const data = new Uint8Array((to - from) * bytes);
    for (let second = from; second < to; second++) {
      const at = (second - from) * bytes;
      await read(second, PICTURES_PART, data.subarray(at, at + bytes));
    }
    return data;
  });
}

async function withHandle<T>(
  { path, records }: ClipFile,
  use: (read: (second: number, part: number, out: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  const handle = await open(path);
  try {
    return await use((second, part, out) => readPart(handle, records, second, part, out));
  } finally {
    await handle.close();
  }
}
