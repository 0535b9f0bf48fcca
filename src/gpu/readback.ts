import { BufferUsage, MAP_MODE_READ } from './flags.ts';
import type { Storage } from './storage.ts';

const SMALLEST = 256;
/** Idle staging buffers beyond this are released. */
const MAX_IDLE_BYTES = 64 * 1024 * 1024;

/** What the ring needs of a device: `Gpu` has it. */
interface BufferOwner {
  readonly limits: GPUSupportedLimits;
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer;
  destroyBuffer(buffer: GPUBuffer): void;
  submit(encode: (encoder: GPUCommandEncoder) => void): void;
}

/** Copies device memory back through mappable buffers, which are reused; any number of reads may be in flight. */
export class StagingRing {
  readonly #gpu: BufferOwner;
  readonly #idle: GPUBuffer[] = [];
  #idleBytes = 0;

  constructor(gpu: BufferOwner) {
    this.#gpu = gpu;
  }

  /** The first `bytes` of the storage (a positive multiple of 4), as they are after all work submitted so far. */
  async read(storage: Storage, bytes: number): Promise<ArrayBuffer> {
    if (bytes % 4 !== 0 || bytes < 4 || bytes > storage.bytes) {
      throw new RangeError(
        `cannot read ${bytes} bytes of storage of ${storage.bytes}: a multiple of 4 within it is needed`,
      );
    }
    const staging = this.#take(bytes);
    try {
      this.#gpu.submit((encoder) =>
        encoder.copyBufferToBuffer(storage.buffer, storage.offset, staging, 0, bytes),
      );
      await staging.mapAsync(MAP_MODE_READ, 0, bytes);
      const result = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
      this.#giveBack(staging);
      return result;
    } catch (cause) {
      this.#gpu.destroyBuffer(staging);
      throw cause;
    }
  }

  #take(bytes: number): GPUBuffer {
    const size = Math.min(
      Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes))),
      this.#gpu.limits.maxBufferSize,
    );
    const index = this.#idle.findIndex((buffer) => buffer.size === size);
    const [found] = index < 0 ? [] : this.#idle.splice(index, 1);
    if (found === undefined) {
      return this.#gpu.createBuffer('readback', size, BufferUsage.MAP_READ | BufferUsage.COPY_DST);
    }
    this.#idleBytes -= size;
    return found;
  }

  #giveBack(staging: GPUBuffer): void {
    if (this.#idleBytes + staging.size > MAX_IDLE_BYTES) {
      this.#gpu.destroyBuffer(staging);
      return;
    }
    this.#idle.push(staging);
    this.#idleBytes += staging.size;
  }
}
