/** Offsets and sizes of storage are multiples of this: what every device accepts as a binding's offset. */
export const ALIGNMENT = 256;

/** GPUBufferUsage of what tensors lie in: STORAGE, COPY_SRC and COPY_DST. */
export const STORAGE_USAGE = 0x80 | 0x04 | 0x08;

/** A place in device memory. */
export interface Storage {
  readonly buffer: GPUBuffer;
  /** Bytes from the buffer's start, a multiple of ALIGNMENT (in a buffer of the caller's: what the device accepts). */
  readonly offset: number;
  /** Bytes reserved, at least what was asked for; a multiple of ALIGNMENT (in a buffer of the caller's: of 4). */
  readonly bytes: number;
}

export const alignUp = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Like "308.3 MiB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ''}`;
}

/** Small numbers for objects, so that a string can name them. */
export function numberer(): (object: object) => number {
  const numbers = new WeakMap<object, number>();
  let count = 0;
  return (object) => {
    const known = numbers.get(object);
    if (known !== undefined) return known;
    numbers.set(object, count);
    return count++;
  };
}
