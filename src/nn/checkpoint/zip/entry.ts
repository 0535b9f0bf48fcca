import { quote } from '../quote.ts';
import type { ByteSource } from '../source.ts';
import { LOCAL_BYTES, zipError, type ZipEntry } from './directory.ts';

const LOCAL = 0x04034b50;
/** Flag: the sizes follow the data and are missing in the local header. */
const DESCRIPTOR = 0x8;
/** Most bytes by which PyTorch aligns the data. */
const PADDING = 64;
const IN_ZIP64 = 0xffffffff;
/** Decompressed data is read in pieces of this size, so that the data before a range takes no memory. */
const PIECE_BYTES = 2 ** 16;

/**
 * The decompressed bytes [begin, end) of a file in a zip. Throws an Error of one sentence if the local header contradicts the
 * directory, or if the data are damaged or have another size than the directory says.
 */
export async function readZipEntry(
  source: ByteSource,
  entry: ZipEntry,
  begin = 0,
  end = entry.size,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!(begin >= 0 && begin <= end && end <= entry.size))
    throw zipError(`${quote(entry.name)} has ${entry.size} bytes, not those from ${begin} to ${end}`);
  if (entry.method === 'stored') {
    const likelyStart = entry.offset + LOCAL_BYTES + entry.nameBytes.length + PADDING;
    source.expect?.(entry.offset, Math.min(likelyStart + end, entry.limit));
  }
  const start = await dataStart(source, entry);
  if (entry.method === 'stored') return source.read(start + begin, start + end);
  return inflateRange(source, entry, start, begin, end);
}

async function dataStart(source: ByteSource, entry: ZipEntry): Promise<number> {
  const { name, nameBytes, method, size, compressedSize, offset, limit } = entry;
  // The check of the directory has ensured that the file has these bytes.
  const header = await source.read(offset, offset + LOCAL_BYTES + nameBytes.length);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const flags = view.getUint16(6, true);
  const shown = (at: number): number | undefined => {
    const value = view.getUint32(at, true);
    return flags & DESCRIPTOR || value === IN_ZIP64 ? undefined : value;
  };
  const same =
    view.getUint32(0, true) === LOCAL &&
    view.getUint16(8, true) === (method === 'stored' ? 0 : 8) &&
    view.getUint16(26, true) === nameBytes.length &&
    nameBytes.every((byte, i) => header[LOCAL_BYTES + i] === byte) &&
    (shown(18) ?? compressedSize) === compressedSize &&
    (shown(22) ?? size) === size;
  if (!same) throw zipError(`the header of ${quote(name)} at byte ${offset} contradicts the directory`);
  const start = offset + header.length + view.getUint16(28, true);
  if (start + compressedSize > limit)
    throw zipError(
      `${quote(name)} at byte ${start} reaches beyond byte ${limit}, where something else begins`,
    );
  return start;
}

async function inflateRange(
  source: ByteSource,
  { name, size, compressedSize }: ZipEntry,
  start: number,
  begin: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = pieces(source, start, start + compressedSize)
    .pipeThrough(new DecompressionStream('deflate-raw'))
    .getReader();
  const result = new Uint8Array(end - begin);
  let at = 0;
  try {
    // Read to the end if the last byte is requested, so that the size is checked too.
    while (at < end || end === size) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) throw zipError(`${quote(name)} unfolds to more than its ${size} bytes`);
      const from = Math.max(begin - at, 0);
      const to = Math.min(end - at, value.length);
      if (from < to) result.set(value.subarray(from, to), at + from - begin);
      at += value.length;
    }
  } catch (error) {
    if (error instanceof TypeError)
      throw zipError(`the compressed data of ${quote(name)} are damaged after ${at} of ${size} bytes`);
    throw error;
  } finally {
    // If the stream failed, cancel() rejects with the same error.
    reader.cancel().catch(() => undefined);
  }
  if (at < end) throw zipError(`${quote(name)} unfolds to ${at} instead of ${size} bytes`);
  return result;
}

function pieces(source: ByteSource, start: number, end: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = start;
  return new ReadableStream({
    pull: async (controller) => {
      if (at === end) return controller.close();
      const next = Math.min(at + PIECE_BYTES, end);
      controller.enqueue(await source.read(at, next));
      at = next;
    },
  });
}
