import { BufferUsage } from './flags.ts';
import type { Gpu } from './gpu.ts';
import { Profiler } from './profiler.ts';
import type { BoundProgram } from './program.ts';

/** Least time of a batch: clocks of a device are reliable over so long, and submitting does not count. */
const BATCH_MS = 12;
const MOST_REPEATS = 10_000;

/** Times a program by running it many times within one pass, by the device's clock where it has one. */
export class RepeatTimer {
  readonly #gpu: Gpu;
  readonly #stamps: { readonly querySet: GPUQuerySet; readonly results: GPUBuffer } | null;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#stamps = Profiler.supports(gpu)
      ? {
          querySet: gpu.device.createQuerySet({ type: 'timestamp', count: 2 }),
          results: gpu.createBuffer('times', 256, BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC),
        }
      : null;
  }

  /**
   * Milliseconds of one run, for each of `batches` batches, after one that is not counted. What `before` encodes runs before each
   * batch. Stops after one batch if that takes more than `most` milliseconds a run.
   */
  async time(
    program: BoundProgram,
    batches: number,
    before: (encoder: GPUCommandEncoder) => void,
    most = Infinity,
  ): Promise<number[]> {
    const once = await this.#batch(program, 1, before);
    let repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(BATCH_MS / Math.max(once, 1e-3))));
    let first = await this.#batch(program, repeats, before);
    // The first run may have been slow for other reasons.
    if (first * repeats < BATCH_MS / 2 && repeats < MOST_REPEATS) {
      repeats = Math.min(MOST_REPEATS, Math.ceil(BATCH_MS / Math.max(first, 1e-3)));
      first = await this.#batch(program, repeats, before);
    }
    const times = [first];
    if (first > most) return times;
    while (times.length < batches) times.push(await this.#batch(program, repeats, before));
    return times;
  }

  /** Milliseconds of one of the repeats. */
  async #batch(
    program: BoundProgram,
    repeats: number,
    before: (encoder: GPUCommandEncoder) => void,
  ): Promise<number> {
    const gpu = this.#gpu;
    if (this.#stamps === null) {
      gpu.submit(before);
      await gpu.idle();
      const start = performance.now();
      gpu.submit((encoder) => program.encodeRepeated(encoder, repeats, {}));
      await gpu.idle();
      return (performance.now() - start) / repeats;
    }
    const { querySet, results } = this.#stamps;
    gpu.submit((encoder) => {
      before(encoder);
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      program.encodeRepeated(encoder, repeats, { timestampWrites });
      encoder.resolveQuerySet(querySet, 0, 2, results, 0);
    });
    const [start = 0n, end = 0n] = new BigUint64Array(
      await gpu.read({ buffer: results, offset: 0, bytes: results.size }, 16),
    );
    return Number(end - start) / 1e6 / repeats;
  }

  destroy(): void {
    this.#stamps?.querySet.destroy();
    if (this.#stamps !== null) this.#gpu.destroyBuffer(this.#stamps.results);
  }
}
