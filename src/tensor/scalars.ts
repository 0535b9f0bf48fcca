import type { Gpu } from '../gpu/gpu.ts';
import type { Heap } from '../gpu/heap.ts';
import type { Storage } from '../gpu/storage.ts';

const CAPACITY = 1024;

/** One number that may change from step to step without a new plan, such as the learning rate. */
export interface ScalarSlot {
  /** Index into the kernels' `scalars` array. */
  readonly index: number;
  set(value: number): void;
}

/** The small buffer of per-step numbers. Elements 0 and 1 are the random seed and step, as bits of u32. */
export class Scalars {
  readonly storage: Storage;
  readonly #values = new Float32Array(CAPACITY);
  readonly #bits = new Uint32Array(this.#values.buffer);
  #count = 2;

  constructor(heap: Heap) {
    this.storage = heap.allocate(CAPACITY * 4, 'per-step scalars');
  }

  allocate(): ScalarSlot {
    if (this.#count === CAPACITY) throw new Error(`a device has ${CAPACITY} per-step scalars, all are taken`);
    const index = this.#count++;
    return { index, set: (value) => (this.#values[index] = value) };
  }

  setRandom(seed: number, step: number): void {
    this.#bits[0] = seed;
    this.#bits[1] = step;
  }

  /** The values as they are now, to be uploaded when their run's turn comes. */
  snapshot(): Float32Array<ArrayBuffer> {
    return this.#values.slice(0, this.#count);
  }

  upload(gpu: Gpu, values: Float32Array<ArrayBuffer>): void {
    gpu.upload(this.storage, values);
  }
}
