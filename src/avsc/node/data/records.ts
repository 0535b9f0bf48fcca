// A file of records of fixed size, each with checksums of its own, so that one read gets any record or any part of one.
//
//   magic, 8 bytes | records u32 | parts P u32 | tags 4 x u32, whose meaning the kind of file gives | bytes of each part, P x u32
//   crc32 of each part of each record, records x P x u32 | crc32 of all before, u32
//   then the records, each of P parts                                                                  (little endian)

import { open, stat, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { writeFileAtomic } from '../../../node/files.ts';

const MAGIC_BYTES = 8;
const TAGS = 4;
const FIXED_BYTES = MAGIC_BYTES + 8 + 4 * TAGS;
const MAX_RECORDS = 3600;
const MAX_PARTS = 2;
const MAX_PART_BYTES = 2 ** 28;

type Tags = readonly [number, number, number, number];

/** What a record file says of itself. */
interface RecordLayout {
  /** 8 letters that tell the kind of file. */
  readonly magic: string;
  readonly tags: Tags;
  /** Bytes of each part of a record: one or two parts. */
  readonly parts: readonly number[];
}

/** Header of a record file. */
export interface RecordFile extends RecordLayout {
  readonly path: string;
  readonly records: number;
  /** crc32 of each part of each record, [records, parts]. */
  readonly checksums: Uint32Array;
}

/** Writes all records atomically: of each record its parts. Throws a StorageError if writing fails. */
export async function writeRecords(
  path: string,
  { magic, tags, parts }: RecordLayout,
  records: readonly (readonly Uint8Array[])[],
): Promise<void> {
  const header = new Uint8Array(headerBytes(records.length, parts.length));
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(magic));
  let at = MAGIC_BYTES;
  const put = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  for (const value of [records.length, parts.length, ...tags, ...parts]) put(value);
  for (const record of records) for (const part of record) put(crc32(part));
  put(crc32(header.subarray(0, at)));
  await writeFileAtomic(path, [header, ...records.flat()]);
}

/**
 * Reads and checks the header and the file's length. Throws, naming the file, if either is damaged, of another kind or missing.
 * Sizes are checked before anything is allocated.
 */
export async function openRecords(path: string, magic: string): Promise<RecordFile> {
  const file = await open(path);
  try {
    const fixed = await readBytes(file, path, 0, FIXED_BYTES);
    const view = new DataView(fixed.buffer);
    const [records, count] = [view.getUint32(MAGIC_BYTES, true), view.getUint32(MAGIC_BYTES + 4, true)];
    const found = String.fromCharCode(...fixed.subarray(0, MAGIC_BYTES));
    if (found !== magic || records < 1 || records > MAX_RECORDS || count < 1 || count > MAX_PARTS) {
      throw damaged(path, 'its header is not one of such a file');
    }
    const header = await readBytes(file, path, 0, headerBytes(records, count));
    const words = new DataView(header.buffer);
    const word = (i: number): number => words.getUint32(MAGIC_BYTES + 4 * i, true);
    const end = header.length - 4;
    if (crc32(header.subarray(0, end)) !== words.getUint32(end, true)) {
      throw damaged(path, "its header's checksum is wrong");
    }
    const parts = Array.from({ length: count }, (_, i) => word(2 + TAGS + i));
    if (parts.some((bytes) => bytes > MAX_PART_BYTES)) throw damaged(path, 'its records are too large');
    const expected = header.length + records * sum(parts);
    const { size } = await file.stat();
    if (size !== expected) throw damaged(path, `it has ${size} bytes, its header says ${expected}`);
    const checksums = Uint32Array.from({ length: records * count }, (_, i) => word(2 + TAGS + count + i));
    return { path, magic, records, parts, checksums, tags: [word(2), word(3), word(4), word(5)] };
  } finally {
    await file.close();
  }
}

/** Reads every record once and throws, naming the file, if one is damaged. */
export async function verifyRecords(file: RecordFile): Promise<void> {
  const handle = await open(file.path);
  try {
    const scratch = new Uint8Array(Math.max(...file.parts));
    for (let record = 0; record < file.records; record++) {
      for (const [part, bytes] of file.parts.entries()) {
        await readPart(handle, file, record, part, scratch.subarray(0, bytes));
      }
    }
  } finally {
    await handle.close();
  }
}

/** Reads one part of one record into `out`, which has its size. Throws, naming the file, if the checksum is wrong. */
export async function readPart(
  handle: FileHandle,
  file: RecordFile,
  record: number,
  part: number,
  out: Uint8Array,
): Promise<void> {
  const { path, parts } = file;
  if (!Number.isInteger(record) || record < 0 || record >= file.records) {
    throw new RangeError(`${path} has ${file.records} seconds, second ${record} was asked for`);
  }
  if (out.length !== parts[part]) {
    throw new RangeError(`a part of ${path} has ${parts[part]} bytes, room for ${out.length} was given`);
  }
  const start = headerBytes(file.records, parts.length) + record * sum(parts) + sum(parts.slice(0, part));
  const { bytesRead } = await handle.read(out, 0, out.length, start);
  if (bytesRead < out.length) throw damaged(path, `it ends after ${start + bytesRead} bytes`);
  if (crc32(out) !== file.checksums[record * parts.length + part]) {
    throw damaged(path, `the checksum of second ${record} is wrong`);
  }
}

/** Bytes of the pictures of one second, [2, 3, height, width]. */
export function frameBytes(height: number, width = height): number {
  return FRAMES * 3 * height * width;
}

/** Frames of one second. */
export const FRAMES = 2;

/** Size of a file, or 0 if there is none. */
export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Bytes of a record file. */
export function fileBytes(records: number, parts: readonly number[]): number {
  return headerBytes(records, parts.length) + records * sum(parts);
}

function headerBytes(records: number, parts: number): number {
  return FIXED_BYTES + 4 * parts + 4 * records * parts + 4;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

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
  return new Error(`the prepared ${path} is damaged (${reason}): run "wavelight prepare" again to remake it`);
}
