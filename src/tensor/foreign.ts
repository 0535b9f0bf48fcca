import { DTYPE_BYTES } from '../gpu/dispatch.ts';
import { BufferUsage } from '../gpu/flags.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { describeTooLarge } from '../gpu/profile.ts';
import type { Storage } from '../gpu/storage.ts';
import type { HostDType } from './graph/dtype.ts';
import { checkDType } from './graph/dtype_names.ts';
import { checkOptions, flag, whole, type OptionKinds } from './graph/options.ts';
import { checkShape, elementCount, formatShape, type Shape } from './graph/shape.ts';

export interface FromBufferOptions {
  readonly shape: Shape;
  /** Default f32. */
  readonly dtype?: HostDType;
  /** Bytes from the buffer's start, a multiple of the device's minStorageBufferOffsetAlignment (256 unless it was asked for less). */
  readonly offset?: number;
  readonly requiresGrad?: boolean;
}

const OPTIONS: OptionKinds<FromBufferOptions> = {
  shape: { what: 'a shape', accepts: Array.isArray, required: true },
  dtype: { what: 'a dtype', accepts: () => true },
  offset: whole(0),
  requiresGrad: flag,
};

/** Where a tensor's elements lie in a buffer of the caller's. */
interface ForeignPlace {
  readonly shape: Shape;
  readonly dtype: HostDType;
  readonly place: Storage;
  readonly requiresGrad: boolean;
}

/** Throws a TypeError or RangeError, or an Error about the buffer, of one sentence. */
export function checkForeign(gpu: Gpu, buffer: GPUBuffer, options: FromBufferOptions): ForeignPlace {
  if (typeof (buffer as Partial<GPUBuffer> | null)?.mapAsync !== 'function')
    throw new TypeError('fromBuffer needs a GPUBuffer');
  const { shape, offset = 0, requiresGrad = false, ...rest } = checkOptions('fromBuffer', options, OPTIONS);
  const dtype = checkDType('fromBuffer', rest.dtype ?? 'f32');
  checkShape(shape, 'fromBuffer');
  if (gpu.owns(buffer))
    throw new Error('fromBuffer: this buffer is one of the engine itself: use the tensor that lies in it');
  if ((buffer.usage & BufferUsage.STORAGE) === 0)
    throw new Error('fromBuffer: the buffer was made without GPUBufferUsage.STORAGE');
  if (buffer.mapState !== 'unmapped')
    throw new Error(`fromBuffer: the buffer is ${buffer.mapState}: unmap it`);
  const { minStorageBufferOffsetAlignment: alignment } = gpu.limits;
  if (offset % alignment !== 0)
    throw new RangeError(`fromBuffer: offset ${offset} is no multiple of ${alignment}, as this device needs`);
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (offset + bytes > buffer.size) {
    throw new RangeError(
      `fromBuffer: ${dtype} ${formatShape(shape)} at offset ${offset} ends at byte ${offset + bytes} of a buffer of ${buffer.size}`,
    );
  }
  if (bytes > gpu.maxStorageBytes)
    throw new RangeError(describeTooLarge(`fromBuffer: ${formatShape(shape)}`, bytes, gpu.target));
  return { shape, dtype, place: { buffer, offset, bytes }, requiresGrad };
}

/** Small numbers for a device's foreign buffers, which tell the planner what lies in one buffer. */
export class ForeignBuffers {
  readonly #colors = new WeakMap<GPUBuffer, number>();
  #count = 0;

  colorOf(buffer: GPUBuffer): number {
    const known = this.#colors.get(buffer);
    if (known !== undefined) return known;
    this.#colors.set(buffer, this.#count);
    return this.#count++;
  }
}
