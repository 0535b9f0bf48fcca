// Loss curves: a smoothed line through all steps, in few enough points to draw.

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
  /** Lowest and highest loss of the steps that this one stands for: `loss` itself if every step is drawn. */
  readonly low: number;
  readonly high: number;
}

/** The mean is taken over this part of the stage's steps. */
const SMOOTHING = 1 / 40;
const MOST_POINTS = 600;

/** A stage's steps, in order, as at most `most` points. Steps whose loss is not finite keep their number but are left out. */
export function lossCurve(steps: readonly ReportStep[], most = MOST_POINTS): CurvePoint[] {
  const finite = steps
    .map(({ epoch, step, lr, loss }, i) => ({ epoch, step, at: i + 1, lr, loss }))
    .filter(({ loss }) => Number.isFinite(loss));
  const losses = finite.map(({ loss }) => loss);
  const means = movingMean(losses, Math.floor((steps.length * SMOOTHING) / 2));
  return thin(losses, most).flatMap(({ index, low, high }) => {
    const { [index]: point } = finite;
    return point === undefined ? [] : [{ ...point, smooth: means[index] ?? NaN, low, high }];
  });
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
 * At most `most` values, at least two, that stand for equal intervals of all, with the lowest and the highest value of each
 * interval, so that no outlier disappears. The first and the last value are among them, the others are the middles.
 */
export function thin(
  values: readonly number[],
  most: number,
): { readonly index: number; readonly low: number; readonly high: number }[] {
  const intervals = Math.min(values.length, most);
  return Array.from({ length: intervals }, (_, interval) => {
    const from = Math.floor((interval * values.length) / intervals);
    const to = Math.floor(((interval + 1) * values.length) / intervals);
    let [low, high] = [Infinity, -Infinity];
    for (let i = from; i < to; i++) {
      low = Math.min(low, values[i] ?? NaN);
      high = Math.max(high, values[i] ?? NaN);
    }
    const middle = Math.floor((from + to - 1) / 2);
    const index = interval === 0 ? from : interval === intervals - 1 ? to - 1 : middle;
    return { index, low, high };
  });
}
