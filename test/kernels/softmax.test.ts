import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import {
  crossEntropyGradient,
  crossEntropyLosses,
  softmaxForward,
  softmaxGradient,
} from '../../src/kernels/softmax.ts';
import { testGpu } from '../support/device.ts';
import { hashIndices, normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

const EXTENTS = [
  { outer: 1, reduce: 1, inner: 1 },
  { outer: 70, reduce: 3, inner: 1 },
  { outer: 3, reduce: 10, inner: 7 },
  { outer: 5, reduce: 100, inner: 1 },
  { outer: 2, reduce: 3001, inner: 1 },
  { outer: 2, reduce: 65, inner: 3 },
];

interface Row {
  readonly probabilities: number[];
  readonly logProbabilities: number[];
}

function softmaxOf(x: readonly number[]): Row {
  const top = Math.max(...x);
  const logTotal = Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0));
  const logProbabilities = x.map((v) => v - top - logTotal);
  return { logProbabilities, probabilities: logProbabilities.map(Math.exp) };
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

describe.each(VARIANTS)('softmax and cross entropy, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => gpu.destroy());

  // Softmax of larger logits is one-hot in f32, and dy - sum dy y then cancels whatever the kernel does.
  it.each([
    { log: false, scale: 1, offset: 0 },
    { log: false, scale: 5, offset: 1000 },
    { log: true, scale: 1, offset: 0 },
    { log: true, scale: 40, offset: -1000 },
  ])('equals f64: log $log, logits of size $scale around $offset', async ({ log, scale, offset }) => {
    let [worst, worstGradient] = [0, 0];
    for (const extent of EXTENTS) {
      const { outer, reduce: size, inner } = extent;
      const count = outer * size * inner;
      const values = normal(`softmax ${outer} ${size}`, count).map((v) => v * scale + offset);
      const gradient = normal(`softmax dy ${outer} ${size}`, count);
      const expected = new Float64Array(count);
      const expectedGradient = new Float64Array(count);
      for (let row = 0; row < outer * inner; row++) {
        const at = (r: number): number => (Math.floor(row / inner) * size + r) * inner + (row % inner);
        const places = Array.from({ length: size }, (_, r) => at(r));
        const { probabilities, logProbabilities } = softmaxOf(places.map((e) => values[e] ?? 0));
        const dy = places.map((e) => gradient[e] ?? 0);
        const dot = sum(dy.map((g, r) => g * (probabilities[r] ?? 0)));
        places.forEach((e, r) => {
          const p = probabilities[r] ?? 0;
          expected[e] = log ? (logProbabilities[r] ?? 0) : p;
          expectedGradient[e] = log ? (dy[r] ?? 0) - p * sum(dy) : p * ((dy[r] ?? 0) - dot);
        });
      }
      const [x, y, dy, dx] = [buffer(count), buffer(count), buffer(count), buffer(count)];
      const context = contextOf(gpu, kind);
      const dispatches = [
        softmaxForward(context, x, y, extent, log),
        softmaxGradient(context, dy, y, dx, extent, log),
      ];
      const bindings = new Map([[x, values], [dy, gradient as Values]]); // prettier-ignore
      const results = await runDispatches(gpu, dispatches, bindings);
      const error = relativeError(results.get(y), expected);
      const gradientError = relativeError(results.get(dx), expectedGradient);
      expect(error, `softmax of [${outer}, ${size}, ${inner}]`).toBeLessThan(1e-5);
      expect(gradientError, `gradient of [${outer}, ${size}, ${inner}]`).toBeLessThan(1e-4);
      [worst, worstGradient] = [Math.max(worst, error), Math.max(worstGradient, gradientError)];
    }
    const shown = `worst ${worst.toExponential(1)}, gradient ${worstGradient.toExponential(1)}`;
    console.log(`${log ? 'logSoftmax' : 'softmax'} ${kind}, size ${scale}: ${shown}`);
  });

  it.each([
    { rows: 1, classes: 1, soft: false, each: true, scale: 1 },
    { rows: 70, classes: 10, soft: false, each: false, scale: 60 },
    { rows: 7, classes: 365, soft: false, each: true, scale: 10 },
    { rows: 33, classes: 10, soft: true, each: true, scale: 60 },
    { rows: 6, classes: 1500, soft: true, each: false, scale: 1 },
  ])('cross entropy of $rows x $classes, soft $soft, gradient for each row $each', async (shape) => {
    const { rows, classes, soft, each, scale } = shape;
    const count = rows * classes;
    const values = normal('logits', count).map((v) => v * scale);
    const hits = hashIndices('classes', rows, classes);
    // Weights that do not sum to 1, a third of them 0.
    const weights = normal('soft', count).map((v, i) => (i % 3 === 0 ? 0 : Math.abs(v) / classes));
    const gradient = normal('loss dy', each ? rows : 1);
    const expected = new Float64Array(rows);
    const expectedGradient = new Float64Array(count);
    for (let n = 0; n < rows; n++) {
      const row = Array.from(values.subarray(n * classes, (n + 1) * classes));
      const target = row.map((_, c) => (soft ? (weights[n * classes + c] ?? 0) : c === hits[n] ? 1 : 0));
      const { probabilities, logProbabilities } = softmaxOf(row);
      expected[n] = -sum(target.map((t, c) => (t === 0 ? 0 : t * (logProbabilities[c] ?? 0))));
      const upstream = 0.125 * (gradient[each ? n : 0] ?? 0);
      probabilities.forEach((p, c) => {
        expectedGradient[n * classes + c] = upstream * (p * sum(target) - (target[c] ?? 0));
      });
    }
    const [logits, losses, dlogits] = [buffer(count), buffer(rows), buffer(count)];
    const [target, dy] = [soft ? buffer(count) : buffer(rows, 'i32'), buffer(gradient.length)];
    const context = contextOf(gpu, kind);
    const dispatches = [
      crossEntropyLosses(context, logits, target, losses),
      crossEntropyGradient(context, { dy, logits, target, dlogits }, { rows, scale: 0.125, each }),
    ];
    const bindings = new Map<typeof dy, Values>([
      [logits, values],
      [target, (soft ? weights : hits) as Values],
      [dy, gradient as Values],
    ]);
    const results = await runDispatches(gpu, dispatches, bindings);
    const error = relativeError(results.get(losses), expected);
    const gradientError = relativeError(results.get(dlogits), expectedGradient);
    console.log(
      `crossEntropy ${kind}: ${error.toExponential(1)}, gradient ${gradientError.toExponential(1)}`,
    );
    expect(error).toBeLessThan(1e-5);
    expect(gradientError).toBeLessThan(1e-4);
  });

  it('makes the row of a class out of range NaN and no other', async () => {
    const [logits, target, losses, dy, dlogits] = [
      buffer(8),
      buffer(4, 'i32'),
      buffer(4),
      buffer(1),
      buffer(8),
    ];
    const context = contextOf(gpu, kind);
    const dispatches = [
      crossEntropyLosses(context, logits, target, losses),
      crossEntropyGradient(context, { dy, logits, target, dlogits }, { rows: 4, scale: 1, each: false }),
    ];
    const bindings = new Map<typeof dy, Values>([
      [logits, new Float32Array(8)],
      [target, new Int32Array([0, 2, -1, 1])],
      [dy, new Float32Array([1])],
    ]);
    const results = await runDispatches(gpu, dispatches, bindings);
    const isNaNs = (ref: typeof dy): boolean[] => [...(results.get(ref) ?? [])].map(Number.isNaN);
    expect(isNaNs(losses)).toEqual([false, true, true, false]);
    expect(isNaNs(dlogits)).toEqual([false, false, true, true, true, true, false, false]);
  });
});
