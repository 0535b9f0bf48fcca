// Differences over time, without padding: each pass loses two frames at either end.

/** Frames lost by one pass of `delta`. */
export const DELTA_LOSS = 4;

/**
 * d[t] = (x[t+1] - x[t-1]) / 10 + (x[t+2] - x[t-2]) / 5 for t = 2 .. frames - 3, of `rows` rows of `frames` values.
 * Writes rows of `frames - 4` values into `out`.
 */
export function delta(x: Float64Array, rows: number, frames: number, out: Float64Array): void {
  const width = frames - DELTA_LOSS;
  for (let row = 0; row < rows; row++) {
    const from = row * frames;
    const to = row * width;
    for (let t = 0; t < width; t++) {
      const at = from + t;
      const near = (x[at + 3] as number) - (x[at + 1] as number);
      const far = (x[at + 4] as number) - (x[at] as number);
      out[to + t] = near / 10 + far / 5;
    }
  }
}
