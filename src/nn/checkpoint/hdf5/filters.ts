// Filters of chunks: deflate and shuffle.
import { hdf5Error, type Cursor } from './cursor.ts';
import { inflate } from './inflate.ts';

export type Filter = 'deflate' | 'shuffle';

const FILTERS: Readonly<Record<number, Filter | undefined>> = { 1: 'deflate', 2: 'shuffle' };
const NAMES: Readonly<Record<number, string | undefined>> = {
  3: 'fletcher32',
  4: 'szip',
  32000: 'lzf',
  32001: 'blosc',
  32015: 'zstd',
};

/** Filters in the order in which they were applied. Throws an Error of one sentence for an unsupported filter. */
export function parseFilters(fields: Cursor | undefined, what: string): readonly Filter[] {
  if (fields === undefined) return [];
  const version = fields.version(1, 2);
  const count = fields.u8();
  if (version === 1) fields.skip(6);
  return Array.from({ length: count }, () => {
    const id = fields.u16();
    const nameBytes = version === 1 || id >= 256 ? fields.u16() : 0;
    fields.skip(2);
    const values = fields.u16();
    fields.skip(version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes);
    fields.skip(4 * values + (version === 1 && values % 2 === 1 ? 4 : 0));
    const filter = FILTERS[id];
    if (filter !== undefined) return filter;
    throw hdf5Error(
      `${what} is packed by filter ${NAMES[id] ?? id}: write it again with gzip, or without a filter`,
    );
  });
}

/** The `size` bytes of a chunk. Filters whose bit is set in `mask` were skipped. Throws an Error of one sentence. */
export async function unpackChunk(
  packed: Uint8Array<ArrayBuffer>,
  filters: readonly Filter[],
  mask: number,
  elementBytes: number,
  size: number,
): Promise<Uint8Array> {
  const applied = filters.filter((_, i) => (mask & (1 << i)) === 0);
  let bytes = packed;
  for (const filter of applied.reverse()) {
    bytes = filter === 'deflate' ? await inflate(bytes, size) : unshuffle(bytes, elementBytes);
  }
  if (bytes.length !== size) throw hdf5Error(`a chunk has ${bytes.length} bytes instead of ${size}`);
  return bytes;
}

/** Undoes the shuffle filter, which stores the first bytes of all elements, then their second bytes, and so on. */
function unshuffle(bytes: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const count = Math.floor(bytes.length / width);
  const out = new Uint8Array(bytes);
  for (let byte = 0; byte < width; byte++) {
    for (let i = 0, from = byte * count; i < count; i++) out[i * width + byte] = bytes[from + i] ?? 0;
  }
  return out;
}
