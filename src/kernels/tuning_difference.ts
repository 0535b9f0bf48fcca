import source from '../../shaders/tuning_difference.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread } from './context.ts';
import { expandTemplate } from './template.ts';

/** Sums of squares for `relativeDifference`, [3, threads] in `partial`. */
export function tuningDifference(
  geometry: AdapterProfile,
  [before, usual, other]: readonly [BufferRef, BufferRef, BufferRef],
  partial: BufferRef,
): Dispatch {
  const threads = partial.length / 3;
  return {
    label: `difference [${usual.length}]`,
    code: expandTemplate('tuning_difference', source, { include: { threads: threadsLibrary } }),
    params: { count: u32(usual.length), threads: u32(threads) },
    operands: [
      { buffer: before, access: 'read' },
      { buffer: usual, access: 'read' },
      { buffer: other, access: 'read' },
      { buffer: partial, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: 6 * usual.length,
    bytes: 3 * bytesOf(usual) + bytesOf(partial),
  };
}

/** |other - usual| / |usual - before| in the Euclidean norm; Infinity where an element of either is not finite. */
export function relativeDifference(partial: Float32Array): number {
  const threads = partial.length / 3;
  const sumOf = (row: number): number =>
    partial.subarray(row * threads, (row + 1) * threads).reduce((sum, value) => sum + value, 0);
  if (sumOf(2) > 0) return Infinity;
  const size = sumOf(1);
  return Math.sqrt(sumOf(0)) / (size > 0 ? Math.sqrt(size) : 1);
}
