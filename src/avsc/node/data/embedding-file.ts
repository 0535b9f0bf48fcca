// Embeddings of a clip on disk: a header, then one row per second.
//
//   magic "WLEMBED1" | seconds u32 | features u32 | crc32 of all else, u32 | rows f32 [seconds, features]   (little endian)

import { open, readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { writeFileAtomic } from '../../../node/files.ts';

const MAGIC = 'WLEMBED1';
const HEADER_BYTES = MAGIC.length + 12;

/** Writes rows [seconds, features] atomically. Throws a StorageError if writing fails. */
export async function writeEmbeddings(path: string, rows: Float32Array, seconds: number): Promise<void> {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, seconds, true);
  view.setUint32(12, rows.length / seconds, true);
  const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  view.setUint32(16, checksum(header, bytes), true);
  await writeFileAtomic(path, [header, bytes]);
}

/** True if the file exists and holds undamaged rows [seconds, features]. */
export async function hasEmbeddings(path: string, seconds: number, features: number): Promise<boolean> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch {
    // The file is absent or unreadable, and is computed again in both cases.
    return false;
  }
  if (file.length !== HEADER_BYTES + 4 * seconds * features) return false;
  const view = new DataView(file.buffer, file.byteOffset);
  return (
    String.fromCharCode(...file.subarray(0, MAGIC.length)) === MAGIC &&
    view.getUint32(8, true) === seconds &&
    view.getUint32(12, true) === features &&
    view.getUint32(16, true) === checksum(file, file.subarray(HEADER_BYTES))
  );
}

/** One row of a file that `hasEmbeddings` accepted. Throws, naming the file, if it has been truncated or removed since. */
export async function readEmbedding(path: string, second: number, features: number): Promise<Float32Array> {
  const file = await open(path);
  try {
    const row = new Float32Array(features);
    const { bytesRead } = await file.read(new Uint8Array(row.buffer), {
      position: HEADER_BYTES + 4 * second * features,
    });
    if (bytesRead === row.byteLength) return row;
    throw new Error(`the embeddings ${path} were cut while they were in use: run this again to remake them`);
  } finally {
    await file.close();
  }
}

function checksum(header: Uint8Array, rows: Uint8Array): number {
  return crc32(rows, crc32(header.subarray(0, 16)));
}
