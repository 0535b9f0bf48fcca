import type { ArithmeticUnits, Dispatch } from './dispatch.ts';
import { BufferUsage } from './flags.ts';
import type { Gpu } from './gpu.ts';
import { alignUp } from './storage.ts';

/** Queries that one set may hold; a dispatch takes two. */
const QUERIES_PER_SET = 4096;
const BYTES_PER_QUERY = 8;

/** A dispatch and how long the device took for it. */
export interface DispatchTime {
  readonly label: string;
  readonly shape?: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly units?: ArithmeticUnits;
  readonly bytes: number;
}

/** All uses of one label together. */
export interface ProfileRow {
  readonly label: string;
  readonly count: number;
  /** Total time on the device. */
  readonly milliseconds: number;
  readonly gigaflopsPerSecond: number;
  /** Of the bytes that the dispatch says must move. */
  readonly gigabytesPerSecond: number;
}

interface Timed {
  readonly dispatch: Dispatch;
}

interface Batch {
  readonly steps: readonly Timed[];
  readonly results: GPUBuffer;
}

/** Times every dispatch on the device: pass it to Program.encode or run, then ask for the times. */
export class Profiler {
  readonly #gpu: Gpu;
  readonly #sets: GPUQuerySet[] = [];
  #batches: Batch[] = [];

  /** Throws an Error where the device has no timestamps; see `Profiler.supports`. */
  constructor(gpu: Gpu) {
    if (!Profiler.supports(gpu))
      throw new Error(`${gpu.description.name} has no timestamp-query: cannot time kernels`);
    this.#gpu = gpu;
  }

  static supports(gpu: Gpu): boolean {
    return gpu.device.features.has('timestamp-query');
  }

  /** Encodes one pass a step by `encodeOne`, and the transfer of their times. */
  encode<Step extends Timed>(
    encoder: GPUCommandEncoder,
    steps: readonly Step[],
    encodeOne: (pass: GPUComputePassEncoder, step: Step, index: number) => void,
  ): void {
    const queries = 2 * steps.length;
    const size = alignUp(Math.max(1, queries) * BYTES_PER_QUERY);
    const results = this.#gpu.createBuffer('times', size, BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC);
    steps.forEach((step, i) => {
      const querySet = this.#set(Math.floor((2 * i) / QUERIES_PER_SET));
      const at = (2 * i) % QUERIES_PER_SET;
      const timestampWrites = { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      encodeOne(pass, step, i);
      pass.end();
    });
    for (let at = 0; at < queries; at += QUERIES_PER_SET) {
      const count = Math.min(QUERIES_PER_SET, queries - at);
      encoder.resolveQuerySet(this.#set(at / QUERIES_PER_SET), 0, count, results, at * BYTES_PER_QUERY);
    }
    this.#batches.push({ steps, results });
  }

  /** Every dispatch that was submitted since the last time it was asked, in order. */
  async times(): Promise<DispatchTime[]> {
    const batches = this.#batches;
    this.#batches = [];
    const all: DispatchTime[] = [];
    for (const { steps, results } of batches) {
      const storage = { buffer: results, offset: 0, bytes: results.size };
      const stamps = new BigUint64Array(await this.#gpu.read(storage, results.size));
      this.#gpu.destroyBuffer(results);
      steps.forEach(({ dispatch: { label, shape, flops, units, bytes } }, i) => {
        const milliseconds = Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n)) / 1e6;
        const given = { ...(shape !== undefined && { shape }), ...(units !== undefined && { units }) };
        all.push({ label, ...given, milliseconds, flops, bytes });
      });
    }
    return all;
  }

  destroy(): void {
    for (const set of this.#sets) set.destroy();
    for (const { results } of this.#batches) this.#gpu.destroyBuffer(results);
    this.#sets.length = 0;
    this.#batches = [];
  }

  #set(index: number): GPUQuerySet {
    return (this.#sets[index] ??= this.#gpu.device.createQuerySet({
      type: 'timestamp',
      count: QUERIES_PER_SET,
    }));
  }
}

/** Sums by label, longest first. */
export function byLabel(times: readonly DispatchTime[]): ProfileRow[] {
  const totals = new Map<string, { count: number; milliseconds: number; flops: number; bytes: number }>();
  for (const { label, milliseconds, flops, bytes } of times) {
    const total = totals.get(label) ?? { count: 0, milliseconds: 0, flops: 0, bytes: 0 };
    total.count++;
    total.milliseconds += milliseconds;
    total.flops += flops;
    total.bytes += bytes;
    totals.set(label, total);
  }
  return [...totals]
    .map(([label, { count, milliseconds, flops, bytes }]) => ({
      label,
      count,
      milliseconds,
      gigaflopsPerSecond: milliseconds > 0 ? flops / milliseconds / 1e6 : 0,
      gigabytesPerSecond: milliseconds > 0 ? bytes / milliseconds / 1e6 : 0,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

/** A table for people. */
export function formatProfile(rows: readonly ProfileRow[]): string {
  const cells = rows.map((row) => [
    row.milliseconds.toFixed(3),
    String(row.count),
    row.gigaflopsPerSecond.toFixed(1),
    row.gigabytesPerSecond.toFixed(1),
    row.label,
  ]);
  const table = [['ms', 'count', 'GFLOP/s', 'GB/s', 'kernel'], ...cells];
  const widths = [10, 7, 9, 8, 0];
  return table.map((line) => line.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  ')).join('\n');
}
