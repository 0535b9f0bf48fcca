import type { Gpu } from './gpu.ts';
import { describeTooLarge } from './profile.ts';
import { alignUp, type Storage } from './storage.ts';

/** Without a size of its own, a heap's chunks double from the first to the last of these, so that a small one stays small. */
const CHUNK_BYTES = { first: 256 * 1024, last: 16 * 1024 * 1024 } as const;

interface Span {
  offset: number;
  bytes: number;
}

interface Chunk {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** Free spans in order of offset, no two adjacent. */
  readonly free: Span[];
}

/** Suballocates storage from a few large buffers (chunks), best fit, neighbours joined when freed. */
export class Heap {
  /** Bytes in the heap's chunks, used or not. */
  bytesHeld = 0;
  /** Bytes in allocated storage. */
  bytesUsed = 0;
  readonly #gpu: Gpu;
  readonly #label: string;
  #chunkBytes: number;
  readonly #largestChunk: number;
  readonly #chunks: Chunk[] = [];
  readonly #live = new Map<Storage, Chunk>();

  constructor(gpu: Gpu, label: string, chunkBytes?: number) {
    this.#gpu = gpu;
    this.#label = label;
    this.#chunkBytes = Math.min(alignUp(chunkBytes ?? CHUNK_BYTES.first), gpu.maxStorageBytes);
    this.#largestChunk = Math.min(alignUp(chunkBytes ?? CHUNK_BYTES.last), gpu.maxStorageBytes);
  }

  /** Uninitialised storage of at least `bytes`; `what` names it in errors. Throws a RangeError if no device buffer can hold it. */
  allocate(bytes: number, what: string): Storage {
    const need = alignUp(Math.max(bytes, 1));
    if (!Number.isSafeInteger(bytes) || need > this.#gpu.maxStorageBytes) {
      throw new RangeError(describeTooLarge(what, bytes, this.#gpu.target));
    }
    const fit = this.#bestFit(need) ?? this.#grow(need);
    const storage: Storage = { buffer: fit.chunk.buffer, offset: fit.span.offset, bytes: need };
    fit.span.offset += need;
    fit.span.bytes -= need;
    if (fit.span.bytes === 0) fit.chunk.free.splice(fit.chunk.free.indexOf(fit.span), 1);
    this.#live.set(storage, fit.chunk);
    this.bytesUsed += need;
    if (this.#gpu.poison) this.#gpu.fillNaN(storage);
    return storage;
  }

  /** Gives storage back; throws an Error if it is not this heap's or was given back before. */
  free(storage: Storage): void {
    const chunk = this.#live.get(storage);
    if (chunk === undefined)
      throw new Error(`heap ${this.#label}: storage freed twice or not allocated here`);
    this.#live.delete(storage);
    this.bytesUsed -= storage.bytes;
    insertSpan(chunk.free, { offset: storage.offset, bytes: storage.bytes });
    const entirelyFree = chunk.free[0]?.bytes === chunk.bytes;
    if (entirelyFree && this.#chunks.length > 1) this.#release(chunk);
  }

  /** Releases every chunk; all storage of the heap becomes invalid. */
  destroy(): void {
    for (const chunk of [...this.#chunks]) this.#release(chunk);
    this.#live.clear();
    this.bytesUsed = 0;
  }

  #bestFit(need: number): { chunk: Chunk; span: Span } | null {
    let best: { chunk: Chunk; span: Span } | null = null;
    for (const chunk of this.#chunks) {
      for (const span of chunk.free) {
        if (span.bytes >= need && (best === null || span.bytes < best.span.bytes)) best = { chunk, span };
      }
    }
    return best;
  }

  #grow(need: number): { chunk: Chunk; span: Span } {
    const bytes = Math.max(need, this.#chunkBytes);
    this.#chunkBytes = Math.min(2 * this.#chunkBytes, this.#largestChunk);
    const span = { offset: 0, bytes };
    const chunk = {
      buffer: this.#gpu.createBuffer(this.#label, bytes, this.#gpu.storageUsage),
      bytes,
      free: [span],
    };
    this.#chunks.push(chunk);
    this.bytesHeld += bytes;
    return { chunk, span };
  }

  #release(chunk: Chunk): void {
    this.#chunks.splice(this.#chunks.indexOf(chunk), 1);
    this.bytesHeld -= chunk.bytes;
    this.#gpu.destroyBuffer(chunk.buffer);
  }
}

function insertSpan(free: Span[], span: Span): void {
  const found = free.findIndex((other) => other.offset > span.offset);
  const index = found < 0 ? free.length : found;
  const before = free[index - 1];
  const after = free[index];
  const joinsBefore = before !== undefined && before.offset + before.bytes === span.offset;
  const joinsAfter = after !== undefined && span.offset + span.bytes === after.offset;
  if (joinsBefore) {
    before.bytes += span.bytes + (joinsAfter ? after.bytes : 0);
    if (joinsAfter) free.splice(index, 1);
  } else if (joinsAfter) {
    after.offset = span.offset;
    after.bytes += span.bytes;
  } else {
    free.splice(index, 0, span);
  }
}
