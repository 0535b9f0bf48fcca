import { BufferUsage } from '../../gpu/flags.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { alignUp } from '../../gpu/storage.ts';
import type { TypedArray } from '../graph/dtype.ts';

const CHUNK_BYTES = 64 * 1024;

/**
 * Elements from the host for commands that the caller submits before the task ends: they are written at once, each to a place of
 * its own, from which the commands copy them. In the next task the places are used again.
 */
export class TaskUploads {
  readonly #gpu: Gpu;
  readonly #chunks: GPUBuffer[] = [];
  #chunk = 0;
  #end = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Where the bytes lie until the task ends. */
  put(data: TypedArray): { readonly buffer: GPUBuffer; readonly offset: number } {
    const bytes = data.byteLength;
    if (this.#chunk === 0 && this.#end === 0) this.#gpu.encodedInTask(() => this.#reset());
    let buffer = this.#chunks[this.#chunk];
    while (buffer !== undefined && this.#end + bytes > buffer.size) {
      this.#end = 0;
      buffer = this.#chunks[++this.#chunk];
    }
    if (buffer === undefined) {
      const usage = BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
      buffer = this.#gpu.createBuffer('uploads', Math.max(CHUNK_BYTES, alignUp(bytes)), usage);
      this.#chunks.push(buffer);
    }
    const offset = this.#end;
    this.#end = alignUp(offset + bytes);
    this.#gpu.upload({ buffer, offset, bytes }, data as TypedArray & ArrayBufferView<ArrayBuffer>);
    return { buffer, offset };
  }

  #reset(): void {
    this.#chunk = 0;
    this.#end = 0;
  }
}
