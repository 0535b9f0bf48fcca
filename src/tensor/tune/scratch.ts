import { bytesOf, type BufferRef } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Heap } from '../../gpu/heap.ts';
import type { Storage } from '../../gpu/storage.ts';

/** An odd number of words, so that no stride of a tensor repeats the noise. */
const NOISE_WORDS = 2 ** 18 - 5;

/** Memory of a tuner beside that of the plan: a GPUBuffer for each buffer. */
export class Scratch {
  readonly #gpu: Gpu;
  readonly #places = new Map<BufferRef, { readonly heap: Heap; readonly storage: Storage }>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  place(ref: BufferRef): Storage {
    const known = this.#places.get(ref);
    if (known !== undefined) return known.storage;
    const heap = new Heap(this.#gpu, 'tuning', bytesOf(ref));
    const storage = heap.allocate(bytesOf(ref), 'a copy for tuning');
    this.#places.set(ref, { heap, storage });
    return storage;
  }

  /** Puts the same noise into a buffer each time, of numbers that are neither large nor tiny. */
  fill(ref: BufferRef): void {
    const { buffer, offset, bytes } = this.place(ref);
    const words = noiseOf(ref.dtype === 'f16' ? 'f16' : 'f32');
    for (let at = 0; at < bytes; at += words.byteLength)
      this.#gpu.device.queue.writeBuffer(
        buffer,
        offset + at,
        words.buffer,
        0,
        Math.min(words.byteLength, bytes - at),
      );
  }

  async read(ref: BufferRef): Promise<ArrayBuffer> {
    return this.#gpu.read(this.place(ref), bytesOf(ref));
  }

  destroy(): void {
    for (const { heap } of this.#places.values()) heap.destroy();
    this.#places.clear();
  }
}

const made = new Map<string, Uint32Array<ArrayBuffer>>();

function noiseOf(type: 'f32' | 'f16'): Uint32Array<ArrayBuffer> {
  const known = made.get(type);
  if (known !== undefined) return known;
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  // Half floats of a random sign and mantissa, between 1/4 and 2.
  const half = (): number => {
    const bits = next();
    return ((bits >>> 16) & 0x8000) | ((13 + ((bits >>> 8) % 3)) << 10) | ((bits >>> 21) & 0x3ff);
  };
  const noise = Uint32Array.from({ length: NOISE_WORDS }, () => {
    if (type === 'f16') return half() | (half() << 16);
    float[0] = next() / 2 ** 31 - 1;
    return word[0] ?? 0;
  });
  made.set(type, noise);
  return noise;
}
