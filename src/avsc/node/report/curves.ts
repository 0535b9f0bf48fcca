// Loss curves: a smoothed line through all steps, and few enough points to draw.

import type { ReportStep } from './data.ts';

export interface CurvePoint {
  readonly epoch: number;
  /** Step within the epoch. */
  readonly step: number;
  /** Step within the stage, from 1. */
  readonly at: number;
  readonly lr: number;
  readonly loss: number;
  /** Mean loss of the steps around this one. */
  readonly smooth: number;
}

/** The mean is taken over this part of the stage's steps. */
const SMOOTHING = 1 / 40;
const MOST_POINTS = 1000;

/** A stage's steps, in order, as points. Steps whose loss is not finite keep their number but are left out. */
export function lossCurve(steps: readonly ReportStep[], most = MOST_POINTS): CurvePoint[] {
  const finite = steps
    .map(({ epoch, step, lr, loss }, i) => ({ epoch, step, at: i + 1, lr, loss }))
    .filter(({ loss }) => Number.isFinite(loss));
  const losses = finite.map(({ loss }) => loss);
  const means = movingMean(losses, Math.floor((steps.length * SMOOTHING) / 2));
  const points = finite.map((point, i) => ({ ...point, smooth: means[i] ?? NaN }));
  return thin(losses, most).flatMap((i) => points[i] ?? []);
}

/** Mean of each value and up to `reach` values on each side; near an end as many on either side as there are. */
export function movingMean(values: readonly number[], reach: number): number[] {
  const sums = new Float64Array(values.length + 1);
  for (const [i, value] of values.entries()) sums[i + 1] = (sums[i] ?? 0) + value;
  return values.map((_, i) => {
    const side = Math.min(reach, i, values.length - 1 - i);
    return ((sums[i + side + 1] ?? 0) - (sums[i - side] ?? 0)) / (2 * side + 1);
  });
}

/**
 * Indices of at most `most` values, in order: all of them, or the lowest and the highest of equal intervals, so that no
 * outlier disappears. The first and the last are always among them.
 */
export function thin(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values.keys()];
  const intervals = Math.floor((most - 2) / 2);
  const kept = new Set([0, values.length - 1]);
  for (let interval = 0; interval < intervals; interval++) {
    const from = Math.floor((interval * values.length) / intervals);
    const to = Math.floor(((interval + 1) * values.length) / intervals);
    let [low, high] = [from, from];
    for (let i = from; i < to; i++) {
      if ((values[i] ?? NaN) < (values[low] ?? NaN)) low = i;
      if ((values[i] ?? NaN) > (values[high] ?? NaN)) high = i;
    }
    kept.add(low).add(high);
  }
  return [...kept].sort((a, b) => a - b);
}
