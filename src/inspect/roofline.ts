import type { Ceilings } from '../gpu/ceilings.ts';

/** A dispatch that was timed. */
export interface TimedWork {
  readonly kernel: string;
  readonly flops: number;
  readonly bytes: number;
  readonly milliseconds: number;
}

export interface RooflinePoint {
  readonly kernel: string;
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
  /** Ceiling of arithmetic: f32 operations a second. */
  readonly flopsPerSecond: number;
  /** Ceiling of memory. */
  readonly bytesPerSecond: number;
  /** Intensity at which the two meet. */
  readonly ridge: number;
  /** One for each dispatch that took a time and did anything, in their order. */
  readonly points: readonly RooflinePoint[];
}

/** How near each dispatch comes to what the device can do. Throws a RangeError for ceilings that are not above 0. */
export function roofline(
  works: readonly TimedWork[],
  { fmaGflops, copyGBps }: Pick<Ceilings, 'fmaGflops' | 'copyGBps'>,
): Roofline {
  if (!(fmaGflops > 0 && copyGBps > 0))
    throw new RangeError(`roofline: ceilings must be above 0, got ${fmaGflops} GFLOP/s and ${copyGBps} GB/s`);
  const [flopsPerSecond, bytesPerSecond] = [fmaGflops * 1e9, copyGBps * 1e9];
  const points = works
    .filter(({ flops, bytes, milliseconds }) => milliseconds > 0 && flops + bytes > 0)
    .map(({ kernel, flops, bytes, milliseconds }): RooflinePoint => {
      const seconds = milliseconds / 1e3;
      const intensity = flops / bytes;
      const [compute, memory] = [flops / flopsPerSecond, bytes / bytesPerSecond];
      return {
        kernel,
        intensity,
        flopsPerSecond: flops / seconds,
        bytesPerSecond: bytes / seconds,
        attainable: Math.min(flopsPerSecond, intensity * bytesPerSecond),
        share: Math.max(compute, memory) / seconds,
        bound: compute > memory ? 'compute' : 'memory',
      };
    });
  return { flopsPerSecond, bytesPerSecond, ridge: flopsPerSecond / bytesPerSecond, points };
}
