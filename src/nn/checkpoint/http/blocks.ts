// A file on a server by blocks, which few requests fetch and later reads share.

import type { ReportProgress } from '../options.ts';
import { checkRange, type ByteSource } from '../source.ts';
import { rangeChunks, type RangeFile } from './ranges.ts';
import { retried, TransientError } from './request.ts';

/** Bytes of a block, and of the first request. */
export const BLOCK = 2 ** 18;
/** The rest of a file of at most so many blocks is fetched at once. */
const SMALL_FILE = 16;
/** Blocks that nobody asked for between two that are fetched together. */
const GAP = 1;
/** Blocks that are fetched ahead when reading goes in order: doubled with each request. */
const FIRST_AHEAD = 4;
const MOST_AHEAD = 64;
/** Most blocks of one request. */
const LONGEST = 256;
const REQUESTS_IN_FLIGHT = 4;
/** Blocks that are kept for later reads. */
const KEPT = 256;

/** Most bytes of one read, about what an ArrayBuffer holds: a server may claim any size. */
const LONGEST_READ = 2 ** 33;

interface Block {
  readonly bytes: Promise<Uint8Array>;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  isThere: boolean;
}

/** Reads a file whose server gives ranges. `first` are its first BLOCK bytes, or all of them. */
export class BlockSource implements ByteSource {
  readonly size: number;
  readonly remote = true;
  readonly #range: RangeFile;
  readonly #report: ReportProgress;
  /** By index, the least recently used first. */
  readonly #blocks = new Map<number, Block>();
  #wanted: number[] = [];
  /** The index after the last block that was requested. */
  #next = 1;
  #ahead = FIRST_AHEAD;
  #inFlight = 0;
  readonly #queue: (() => void)[] = [];
  /** Blocks that have been received, for the progress. */
  readonly #received = new Set<number>();
  #loaded = 0;

  constructor(range: RangeFile, first: Uint8Array, report: ReportProgress) {
    this.size = range.size;
    this.#range = range;
    this.#report = report;
    this.#put(0, this.#add(0), first);
  }

  async read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(begin, end, this.size);
    if (end - begin > LONGEST_READ)
      throw new RangeError(
        `${this.#range.file.name}: ${end - begin} bytes were to be read at once, the most are ${LONGEST_READ}`,
      );
    this.#range.file.signal?.throwIfAborted();
    const first = Math.floor(begin / BLOCK);
    const blocks = await Promise.all(this.#blocksOf(begin, end));
    // Allocated when the bytes are here, because the size is only what the server claims.
    const result = new Uint8Array(end - begin);
    blocks.forEach((block, i) => {
      const at = (first + i) * BLOCK;
      const part = block.subarray(Math.max(0, begin - at), Math.min(BLOCK, end - at));
      result.set(part, Math.max(0, at - begin));
    });
    return result;
  }

  expect(begin: number, end: number): void {
    // Whoever reads them sees their errors.
    if (end - begin <= LONGEST_READ) void Promise.allSettled(this.#blocksOf(begin, Math.min(end, this.size)));
  }

  #blocksOf(begin: number, end: number): Promise<Uint8Array>[] {
    const first = Math.floor(begin / BLOCK);
    const count = begin >= end ? 0 : Math.ceil(end / BLOCK) - first;
    return Array.from({ length: count }, (_, i) => this.#block(first + i));
  }

  /** A block that is here, under way, or requested in a moment together with others that are asked for now. */
  #block(index: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known !== undefined) {
      this.#blocks.delete(index);
      this.#blocks.set(index, known);
      return known.bytes;
    }
    if (this.#wanted.length === 0) queueMicrotask(() => this.#request());
    this.#wanted.push(index);
    return this.#add(index).bytes;
  }

  #add(index: number): Block {
    let resolve: Block['resolve'] = () => undefined;
    let reject: Block['reject'] = () => undefined;
    const bytes = new Promise<Uint8Array>((...settle) => ([resolve, reject] = settle));
    // A block fetched ahead may fail without a reader.
    bytes.catch(() => undefined);
    const block = { bytes, resolve, reject, isThere: false };
    this.#blocks.set(index, block);
    return block;
  }

  /** Requests what is wanted, with small gaps, and what comes after it if reading goes in order. */
  #request(): void {
    const wanted = this.#wanted.sort((a, b) => a - b);
    this.#wanted = [];
    for (let i = 0; i < wanted.length;) {
      const from = wanted[i] as number;
      let to = from + 1;
      for (i++; i < wanted.length; i++) {
        const following = wanted[i] as number;
        if (following - to > GAP || !this.#claim(to, following)) break;
        to = following + 1;
      }
      const [begin, end] = this.#extended(from, to);
      this.#next = end;
      for (let at = begin; at < end; at += LONGEST) void this.#fetch(at, Math.min(at + LONGEST, end));
    }
  }

  /** A request of the blocks [from, to) with what is fetched ahead, or with all around it in a small file. */
  #extended(from: number, to: number): [begin: number, end: number] {
    const count = Math.ceil(this.size / BLOCK);
    const isSmall = count <= SMALL_FILE;
    const inOrder = from >= this.#next && from <= this.#next + GAP;
    const ahead = isSmall ? count : inOrder ? this.#ahead : 0;
    this.#ahead = inOrder ? Math.min(2 * this.#ahead, MOST_AHEAD) : FIRST_AHEAD;
    let [begin, end] = [from, to];
    while (end < Math.min(count, to + ahead) && this.#claim(end, end + 1)) end++;
    while (isSmall && begin > 0 && this.#claim(begin - 1, begin)) begin--;
    return [begin, end];
  }

  /** Adds the blocks [from, to), unless one of them is here or under way. */
  #claim(from: number, to: number): boolean {
    for (let index = from; index < to; index++) if (this.#blocks.has(index)) return false;
    for (let index = from; index < to; index++) this.#add(index);
    return true;
  }

  /** Fetches the blocks [from, to). After a cut connection it goes on where that ended. */
  async #fetch(from: number, to: number): Promise<void> {
    let at = from;
    try {
      if (this.#inFlight >= REQUESTS_IN_FLIGHT) await new Promise<void>((go) => this.#queue.push(go));
      else this.#inFlight++;
      while (at < to) {
        // Tries are counted anew when there was progress.
        const before = at;
        await retried(async () => {
          try {
            for await (const bytes of this.#stream(at, to)) {
              const block = this.#blocks.get(at);
              if (block !== undefined) this.#put(at, block, bytes);
              at++;
            }
          } catch (error) {
            if (at === before || !(error instanceof TransientError)) throw error;
          }
        }, this.#range.file.signal);
      }
    } catch (error) {
      for (let index = at; index < to; index++) {
        this.#blocks.get(index)?.reject(error);
        this.#blocks.delete(index);
      }
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#inFlight--;
      else next();
    }
  }

  /** The blocks [from, to) by one request, as they arrive. */
  async *#stream(from: number, to: number): AsyncGenerator<Uint8Array> {
    const end = Math.min(to * BLOCK, this.size);
    let block = new Uint8Array(0);
    let [at, filled] = [from * BLOCK, 0];
    for await (const chunk of rangeChunks(this.#range, at, end)) {
      for (let used = 0; used < chunk.length;) {
        if (filled === 0) block = new Uint8Array(Math.min(BLOCK, end - at));
        const part = chunk.subarray(used, used + block.length - filled);
        block.set(part, filled);
        filled += part.length;
        used += part.length;
        if (filled < block.length) continue;
        yield block;
        at += filled;
        filled = 0;
      }
    }
  }

  #put(index: number, block: Block, bytes: Uint8Array): void {
    block.isThere = true;
    block.resolve(bytes);
    if (!this.#received.has(index)) {
      this.#received.add(index);
      this.#loaded += bytes.length;
      this.#report({ loaded: this.#loaded, total: this.size });
    }
    if (this.#blocks.size <= KEPT) return;
    for (const [oldest, { isThere }] of this.#blocks) {
      if (this.#blocks.size <= KEPT) break;
      if (isThere && oldest !== index) this.#blocks.delete(oldest);
    }
  }
}
