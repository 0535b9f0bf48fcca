import { TRAITS, type Description } from '../../src/gpu/profile.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { KernelContext } from '../../src/kernels/context.ts';
import { testContext } from './run.ts';

/** Every variant of a kernel must hold on every adapter: both geometries, parameters as constants and as a uniform. */
export const VARIANTS = [
  { kind: 'cpu', bakeParams: false },
  { kind: 'gpu', bakeParams: true },
] as const;

/** A context whose kernels choose as they would on an adapter of this kind. */
export function contextOf(gpu: Gpu, kind: Description['kind']): KernelContext {
  return { ...testContext(gpu), geometry: { ...gpu.geometry, ...TRAITS[kind] } };
}

/** |actual - expected| / |expected| in the Euclidean norm; the norm of `actual` where all of `expected` is 0. */
export function relativeError(actual: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  if (actual?.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    const want = expected[i] ?? Number.NaN;
    difference += ((actual[i] ?? Number.NaN) - want) ** 2;
    size += want ** 2;
  }
  return Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
}
