// Chunked data sets: blocks of equal shape, filtered one by one and indexed by a tree.
import { readTree } from './btree.ts';
import { hdf5Error } from './cursor.ts';
import type { Hdf5File } from './file.ts';
import { unpackChunk, type Filter } from './filters.ts';
import { NOTHING_STORED, type StoredData } from './stored.ts';

interface ChunkedLayout {
  readonly shape: readonly number[];
  /** Size of a chunk along each dimension. Chunks at the edges extend beyond the data set. */
  readonly chunk: readonly number[];
  readonly elementBytes: number;
  /** Size of all elements. */
  readonly bytes: number;
  /** Address of the index; undefined if nothing was written. */
  readonly tree: number | undefined;
  readonly filters: readonly Filter[];
}

interface Chunk {
  readonly begin: number;
  readonly stored: number;
  /** Bit i is set if filter i was skipped. */
  readonly mask: number;
  /** First element along each dimension. */
  readonly corner: readonly number[];
}

/** Reads and checks the index of the chunks. Throws an Error of one sentence, which names the data set as `what`. */
export async function chunkedData(file: Hdf5File, layout: ChunkedLayout, what: string): Promise<StoredData> {
  const { shape, chunk, elementBytes, bytes, filters } = layout;
  if (bytes === 0) return NOTHING_STORED;
  if (chunk.length !== shape.length || chunk.some((n) => n < 1)) {
    throw hdf5Error(
      `${what} of ${shape.length} dimensions has chunks of [${chunk.slice(0, 32).join(', ')}] elements`,
    );
  }
  const chunkBytes = chunk.reduce((product, n) => product * n, elementBytes);
  const grid = shape.map((n, i) => Math.ceil(n / (chunk[i] ?? 1)));
  const expected = grid.reduce((product, n) => product * n, 1);
  const chunks = layout.tree === undefined ? [] : await readIndex(file, layout.tree, layout);
  const places = new Set(
    chunks.map(({ corner }) => corner.reduce((at, n, i) => at * (grid[i] ?? 1) + n / (chunk[i] ?? 1), 0)),
  );
  if (places.size !== chunks.length || chunks.length !== expected) {
    throw hdf5Error(
      `${what} has ${places.size} of ${expected} chunks: the others were never written or are lost`,
    );
  }
  for (const { begin, stored } of chunks) {
    if (begin + stored > file.source.size) {
      throw hdf5Error(
        `a chunk of ${what} would end at byte ${begin + stored}, the file at ${file.source.size}`,
      );
    }
  }
  const readBytes = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const out = new Uint8Array(bytes);
    for (const { begin, stored, mask, corner } of chunks) {
      const packed = await file.source.read(begin, begin + stored);
      const elements = await unpackChunk(packed, filters, mask, elementBytes, chunkBytes);
      copyChunk(elements, out, corner, layout);
    }
    return out;
  };
  const stored = chunks.reduce((sum, each) => sum + each.stored, 0);
  return { stored, unpacked: expected * chunkBytes, readBytes };
}

async function readIndex(file: Hdf5File, tree: number, { shape, chunk }: ChunkedLayout): Promise<Chunk[]> {
  // A key has the size, the mask, and 8 bytes for each dimension and for the element size.
  const keyBytes = 8 + 8 * (shape.length + 1);
  const leaves = await readTree(file, tree, 1, keyBytes, (fields) => {
    const stored = fields.u32();
    const mask = fields.u32();
    return { stored, mask, corner: shape.map(() => fields.unsigned(8)) };
  });
  return leaves.map(({ key, address }) => {
    if (key.corner.some((n, i) => n >= (shape[i] ?? 0) || n % (chunk[i] ?? 1) !== 0)) {
      throw hdf5Error(`a chunk begins at [${key.corner.join(', ')}] of [${shape.join(', ')}]`);
    }
    return { ...key, begin: file.base + address };
  });
}

/** Copies the part of a chunk within the data set, in runs along its last dimension. */
function copyChunk(
  elements: Uint8Array,
  out: Uint8Array,
  corner: readonly number[],
  { shape, chunk, elementBytes }: ChunkedLayout,
): void {
  const copyAlong = (dim: number, from: number, to: number): void => {
    const [size = 1, step = 1, first = 0] = [shape[dim], chunk[dim], corner[dim]];
    const count = Math.min(step, size - first);
    if (dim >= shape.length - 1) {
      const at = from * step * elementBytes;
      out.set(elements.subarray(at, at + count * elementBytes), (to * size + first) * elementBytes);
      return;
    }
    for (let i = 0; i < count; i++) copyAlong(dim + 1, from * step + i, to * size + first + i);
  };
  copyAlong(0, 0, 0);
}
