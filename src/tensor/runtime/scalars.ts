import type { Gpu } from '../../gpu/gpu.ts';
import type { Heap } from '../../gpu/heap.ts';
import type { Storage } from '../../gpu/storage.ts';

const CAPACITY = 1024;

/** One number that may change from step to step without a new plan, such as the learning rate. */
export interface ScalarSlot {
  /** Index into the kernels' `scalars` array. */
  readonly index: number;
  set(value: number): void;
  /** Gives the slot back; nothing recorded may use it any more. */
  release(): void;
}

/** The small buffer of per-step numbers. Elements 0 and 1 are the random seed and step, as bits of u32. */
export class Scalars {
  readonly storage: Storage;
  readonly #values = new Float32Array(CAPACITY);
  readonly #bits = new Uint32Array(this.#values.buffer);
  readonly #released: number[] = [];
  #count = 2;

  constructor(heap: Heap) {
    this.storage = heap.allocate(CAPACITY * 4, 'per-step scalars');
  }

  /** Throws an Error if all slots are taken. */
  allocate(): ScalarSlot {
    const index = this.#released.pop() ?? this.#count++;
    if (index >= CAPACITY) throw new Error(`a device has ${CAPACITY} per-step scalars, all are taken`);
    return {
      index,
      set: (value) => (this.#values[index] = value),
      release: () => this.#released.push(index),
    };
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
