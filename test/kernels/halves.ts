import type { Gpu } from '../../src/gpu/gpu.ts';
import { matrixFor } from '../../src/kernels/gemm_matrix.ts';
import { TILES } from '../../src/kernels/gemm_choice.ts';
import type { GemmChoice } from '../../src/kernels/gemm_choice.ts';
import { normal } from '../support/hash.ts';

/** Normal values that a buffer of this type holds exactly. */
export function normalOf(dtype: 'f32' | 'f16', name: string, length: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(normal(name, length));
  return dtype === 'f16' ? values.map(Math.f16round) : values;
}

/** Skips a test of a GEMM that the adapter has not got the f16 or the matrices for. */
export function skipWithout(
  { geometry }: Gpu,
  skip: (condition: boolean, note: string) => void,
  dtype: 'f32' | 'f16',
  { tile: name }: Partial<GemmChoice> = {},
): void {
  skip(dtype === 'f16' && !geometry.f16, 'this adapter has no shader-f16');
  const tile = name === undefined ? undefined : TILES[name];
  if (tile?.skeleton !== 'matrix') return;
  const matrix = matrixFor(geometry, tile, { a: { dtype }, b: { dtype } });
  skip(matrix === undefined, `this adapter has no subgroup matrices of ${dtype} for a tile ${name}`);
}
