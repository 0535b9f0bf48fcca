import type { Gpu } from './gpu.ts';
import type { Storage } from './storage.ts';

const USAGE = 0x01 | 0x08; // MAP_READ | COPY_DST
const SMALLEST = 256;

/** Copies device memory back through mappable buffers, which are reused; any number of reads may be in flight. */
export class StagingRing {
  readonly #gpu: Gpu;
  /** Idle buffers by size. */
  readonly #idle = new Map<number, GPUBuffer[]>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** The first `bytes` of the storage (a multiple of 4), as they are after all work submitted so far. */
  async read(storage: Storage, bytes: number): Promise<ArrayBuffer> {
    if (bytes % 4 !== 0 || bytes < 4 || bytes > storage.bytes) {
      throw new RangeError(
        `cannot read ${bytes} of ${storage.bytes} bytes: a multiple of 4 within the storage is needed`,
      );
    }
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)));
    const staging = this.#idle.get(size)?.pop() ?? this.#gpu.createBuffer('readback', size, USAGE);
    this.#gpu.submit((encoder) =>
      encoder.copyBufferToBuffer(storage.buffer, storage.offset, staging, 0, bytes),
    );
    await staging.mapAsync(0x1, 0, bytes);
    const result = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    const idle = this.#idle.get(size);
    if (idle === undefined) this.#idle.set(size, [staging]);
    else idle.push(staging);
    return result;
  }
}
