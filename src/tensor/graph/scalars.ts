const CAPACITY = 1024;

/** One number that may change from step to step without a new plan, such as the learning rate. */
export interface ScalarSlot {
  /** Index into the kernels' `scalars` array. */
  readonly index: number;
  set(value: number): void;
  /** Gives the slot back; nothing recorded may use it any more. */
  release(): void;
}

/** The per-step numbers on the host. Elements 0 and 1 are the random seed and step, as bits of u32. */
export class Scalars {
  static readonly bytes = CAPACITY * 4;
  readonly #values = new Float32Array(CAPACITY);
  readonly #bits = new Uint32Array(this.#values.buffer);
  readonly #released: number[] = [];
  #count = 2;

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
}
