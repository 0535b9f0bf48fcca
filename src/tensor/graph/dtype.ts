import type { DType } from '../../gpu/dispatch.ts';

/** Elements of a tensor on the host. */
export type TypedArray = Float32Array | Int32Array | Uint32Array;

export function dtypeOfArray(array: TypedArray): DType {
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
  }
}
