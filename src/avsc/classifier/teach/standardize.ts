// Standardization of embeddings by the seconds that are learned, which the taught model keeps as the statistics of its norm.

/** The norm's, as `BatchNorm2d` has it. */
const EPS = 1e-5;

/** A feature that hardly varies in a few seconds may vary more later: this share of the mean variance is added to each one. */
const FLOOR = 0.3;

export interface Standard {
  /** [features]. */
  readonly mean: Float32Array<ArrayBuffer>;
  readonly variance: Float32Array<ArrayBuffer>;
}

/** Mean and variance of each feature over rows [features], in f64. */
export function standardOf(rows: readonly Float32Array[], features: number): Standard {
  const mean = new Float64Array(features);
  for (const row of rows) row.forEach((value, i) => (mean[i] = (mean[i] ?? 0) + value / rows.length));
  const variance = new Float64Array(features);
  for (const row of rows)
    row.forEach(
      (value, i) => (variance[i] = (variance[i] ?? 0) + (value - (mean[i] ?? 0)) ** 2 / rows.length),
    );
  const floor = (FLOOR * variance.reduce((sum, value) => sum + value, 0)) / features;
  return { mean: Float32Array.from(mean), variance: Float32Array.from(variance, (value) => value + floor) };
}

/** Writes a row, standardized, into `out`. */
export function standardize(
  row: Float32Array,
  { mean, variance }: Standard,
  out: Float32Array<ArrayBuffer>,
): void {
  for (let i = 0; i < row.length; i++)
    out[i] = ((row[i] ?? NaN) - (mean[i] ?? NaN)) / Math.sqrt((variance[i] ?? NaN) + EPS);
}
