import { elementCount, type Shape } from '../../tensor/graph/shape.ts';
import type { TypedArray } from '../../tensor/graph/dtype.ts';

/** Element types of checkpoint files, with their size in bytes. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type FileDType = keyof typeof ELEMENT_BYTES;

export const isFileDType = (name: string): name is FileDType => Object.hasOwn(ELEMENT_BYTES, name);

/** Size of a tensor in a file in bytes; not exact beyond 2^53. */
export const byteCount = (dtype: FileDType, shape: Shape): number =>
  elementCount(shape) * ELEMENT_BYTES[dtype];

/** Converts elements of `size` bytes between big-endian and little-endian, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  if (size === 1) return;
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/**
 * Converts little-endian elements to the engine's types: floats to f32, integers and BOOL to i32, U32 to u32. The result may
 * share the buffer. Throws a RangeError that names the tensor if an I64 does not fit into i32.
 */
export function decodeElements(dtype: FileDType, buffer: ArrayBuffer, name: string): TypedArray {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return new Float32Array(new Float64Array(buffer));
    case 'F16':
      return halvesToFloats(new Uint16Array(buffer));
    case 'BF16':
      return bfloatsToFloats(new Uint16Array(buffer));
    case 'I64':
      return longsToInts(new BigInt64Array(buffer), name);
    case 'I32':
      return new Int32Array(buffer);
    case 'I16':
      return new Int32Array(new Int16Array(buffer));
    case 'I8':
      return new Int32Array(new Int8Array(buffer));
    case 'U32':
      return new Uint32Array(buffer);
    case 'U16':
      return new Int32Array(new Uint16Array(buffer));
    case 'U8':
    case 'BOOL':
      return new Int32Array(new Uint8Array(buffer));
  }
}

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// The conversions below are loops, because from() with a function first makes a list of all elements, at some 50 bytes each.

function halvesToFloats(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = halfToNumber(halves[i] ?? 0);
  return floats;
}

/** bfloat16 is the upper half of an f32. */
function bfloatsToFloats(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}

/** Reads each I64 as two words. The number fits into i32 if the upper word repeats the sign of the lower one. */
function longsToInts(longs: BigInt64Array, name: string): Int32Array {
  const words = new Int32Array(longs.buffer, longs.byteOffset, 2 * longs.length);
  const ints = new Int32Array(longs.length);
  for (let i = 0; i < longs.length; i++) {
    const low = words[2 * i] ?? 0;
    if (words[2 * i + 1] !== low >> 31) {
      throw new RangeError(`tensor ${name}: ${longs[i] ?? 0n} does not fit into 32 bits`);
    }
    ints[i] = low;
  }
  return ints;
}
