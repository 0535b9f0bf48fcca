import type { DType } from '../../gpu/dispatch.ts';

/** Element types that the host can hand over and read. */
export type HostDType = 'f32' | 'i32' | 'u32';

/** Elements of a tensor on the host. */
export type TypedArray = Float32Array | Int32Array | Uint32Array;

export function dtypeOfArray(array: TypedArray): HostDType {
  if (array instanceof Float32Array) return 'f32';
  return array instanceof Int32Array ? 'i32' : 'u32';
}

export function viewOf(buffer: ArrayBuffer, dtype: DType): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer);
    case 'i32':
      return new Int32Array(buffer);
    case 'u32':
      return new Uint32Array(buffer);
    case 'f16':
    case 'u8':
      throw new TypeError(`elements of ${dtype} cannot be read: cast to f32, i32 or u32 first`);
  }
}
