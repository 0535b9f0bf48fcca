import { arithmeticGflops, type Roofs } from '../gpu/ceilings.ts';
import type { ArithmeticUnits } from '../gpu/dispatch.ts';

/** A dispatch that was timed. */
export interface TimedWork {
  readonly kernel: string;
  readonly flops: number;
  /** Subgroup matrices that compute most of them; absent or null: multiply-adds in f32. */
  readonly units?: ArithmeticUnits | null;
  readonly bytes: number;
  readonly milliseconds: number;
}

export interface RooflinePoint {
  readonly kernel: string;
  readonly units: ArithmeticUnits | null;
  /** Operations for each byte moved; 0 for a kernel that only moves, Infinity for one that moves nothing. */
  readonly intensity: number;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** What the ceilings allow at this intensity, in operations a second. */
  readonly attainable: number;
  /** The least time that the ceilings allow by the time that it took: 1 is the ceiling. */
  readonly share: number;
  /** Which ceiling is the lower one for it. */
  readonly bound: 'compute' | 'memory';
}

/** The roofline model (Williams, Waterman and Patterson 2009). */
export interface Roofline {
  /** Ceiling of multiply-adds in f32, operations a second. */
  readonly flopsPerSecond: number;
  /** Ceiling of memory. */
  readonly bytesPerSecond: number;
  /** Ceilings of subgroup matrices, operations a second, as far as they were measured. */
  readonly matrixFlopsPerSecond: Readonly<Partial<Record<ArithmeticUnits, number>>>;
  /** Intensity at which multiply-adds and memory meet. */
  readonly ridge: number;
  /** One for each dispatch that took a time and did anything, in their order. */
  readonly points: readonly RooflinePoint[];
}

/**
 * How near each dispatch comes to what the device can do; one on subgroup matrices is judged by their ceiling.
 * Throws a RangeError for ceilings that are not above 0.
 */
export function roofline(works: readonly TimedWork[], roofs: Roofs): Roofline {
  const { fmaGflops, copyGBps, matrixF16Gflops, matrixF32Gflops } = roofs;
  if (!(fmaGflops > 0 && copyGBps > 0))
    throw new RangeError(`roofline: ceilings must be above 0, got ${fmaGflops} GFLOP/s and ${copyGBps} GB/s`);
  const bytesPerSecond = copyGBps * 1e9;
  const points = works
    .filter(({ flops, bytes, milliseconds }) => milliseconds > 0 && flops + bytes > 0)
    .map(({ kernel, flops, units = null, bytes, milliseconds }): RooflinePoint => {
      const seconds = milliseconds / 1e3;
      const intensity = flops / bytes;
      const flopsPerSecond = arithmeticGflops(units, roofs) * 1e9;
      const [compute, memory] = [flops / flopsPerSecond, bytes / bytesPerSecond];
      return {
        kernel,
        units,
        intensity,
        flopsPerSecond: flops / seconds,
        bytesPerSecond: bytes / seconds,
        attainable: Math.min(flopsPerSecond, intensity * bytesPerSecond),
        share: Math.max(compute, memory) / seconds,
        bound: compute > memory ? 'compute' : 'memory',
      };
    });
  return {
    flopsPerSecond: fmaGflops * 1e9,
    bytesPerSecond,
    matrixFlopsPerSecond: {
      ...(matrixF16Gflops && { matrixF16: matrixF16Gflops * 1e9 }),
      ...(matrixF32Gflops && { matrixF32: matrixF32Gflops * 1e9 }),
    },
    ridge: fmaGflops / copyGBps,
    points,
  };
}
