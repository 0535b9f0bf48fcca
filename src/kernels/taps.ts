/*
 * The triangle filter of Pillow's BILINEAR (Resample.c), as wide as the larger of the two pixels: for each pixel of a
 * resized line, which pixels of the line it is made of and with which weights.
 */

/** Weights in fixed point have so many bits behind the point. */
export const PRECISION = 22;

/** Pixels from..from+weights.length of a line, and their weights in one pixel of the result. */
export interface Taps {
  readonly from: number;
  /** In fixed point; their sum is 1 within rounding. */
  readonly weights: Int32Array;
}

/** Pictures of one video need the same taps. */
const known = new Map<string, readonly Taps[]>();
const KNOWN = 16;

/** The taps of the pixels from `start` on, `kept` of them, when a line of `count` pixels is resized to `to` pixels. */
export function tapsOf(count: number, to: number, start = 0, kept = to): readonly Taps[] {
  const key = [count, to, start, kept].join();
  const taps = known.get(key) ?? makeTaps(count, to, start, kept);
  if (known.size >= KNOWN) known.clear();
  known.set(key, taps);
  return taps;
}

function makeTaps(count: number, to: number, start: number, kept: number): Taps[] {
  const scale = count / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: kept }, (_, i) => {
    const centre = (start + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const until = Math.min(count, Math.trunc(centre + support + 0.5));
    const triangle = Array.from({ length: until - from }, (_, k) =>
      Math.max(0, 1 - Math.abs((from + k - centre + 0.5) / support)),
    );
    const total = triangle.reduce((sum, weight) => sum + weight, 0);
    const weights = Int32Array.from(triangle, (weight) =>
      Math.trunc(0.5 + (weight / total) * 2 ** PRECISION),
    );
    return { from, weights };
  });
}
