import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { argExtreme } from '../../src/kernels/argmax.ts';
import { blocksOf, reduce, type Reduction } from '../../src/kernels/reduce.ts';
import { selectGradient, shareGradient, spreadGradient } from '../../src/kernels/reduce_backward.ts';
import { testGpu } from '../support/device.ts';
import { hashIndices, normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

/** Output place of every element of x. */
function places(shape: readonly number[], dims: readonly number[]): { to: number[]; outputs: number } {
  const kept = shape.map((size, i) => (dims.includes(i) ? 1 : size));
  const count = shape.reduce((a, b) => a * b, 1);
  const to = Array.from({ length: count }, (_, e) => {
    let rest = e;
    let place = 0;
    let stride = 1;
    for (let i = shape.length - 1; i >= 0; i--) {
      const size = shape[i] ?? 1;
      const at = rest % size;
      rest = (rest - at) / size;
      if (dims.includes(i)) continue;
      place += at * stride;
      stride *= size;
    }
    return place;
  });
  return { to, outputs: kept.reduce((a, b) => a * b, 1) };
}

function expectedReduction(
  kind: Reduction,
  x: Float32Array,
  to: readonly number[],
  outputs: number,
): Float64Array {
  const y = new Float64Array(outputs).fill({ sum: 0, max: -Infinity, min: Infinity }[kind]);
  x.forEach((value, e) => {
    const j = to[e] ?? 0;
    const so_far = y[j] ?? 0;
    y[j] = { sum: so_far + value, max: Math.max(so_far, value), min: Math.min(so_far, value) }[kind];
  });
  return y;
}

const CASES: { shape: number[]; dims: number[] }[] = [
  { shape: [1], dims: [0] },
  { shape: [5], dims: [] },
  { shape: [7], dims: [0] },
  { shape: [3, 1, 5], dims: [1] },
  { shape: [3, 4, 5], dims: [0, 2] },
  { shape: [2, 3, 7, 9], dims: [0, 2, 3] },
  { shape: [4, 130], dims: [1] },
  { shape: [130, 3], dims: [0] },
  { shape: [3, 5000], dims: [1] },
  { shape: [2, 2051], dims: [1] },
  { shape: [2, 3, 2, 2, 3], dims: [0, 2, 4] },
  { shape: [5003, 3], dims: [0] },
  { shape: [100_003], dims: [0] },
  { shape: [400_000], dims: [0] },
];

describe.each(VARIANTS)('reductions, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => gpu.destroy());

  it('sum, max and min equal f64 over any dimensions', async () => {
    let worst = 0;
    for (const { shape, dims } of CASES) {
      const { to, outputs } = places(shape, dims);
      // An offset, since a sum that cancels has no relative error to speak of.
      const values = normal(`reduce ${shape.join('x')}`, to.length).map((v) => v + 1);
      const blocks = blocksOf(shape, dims);
      for (const reduction of ['sum', 'max', 'min'] as const) {
        const [x, y] = [buffer(to.length), buffer(outputs)];
        const dispatches = reduce(
          contextOf(gpu, kind),
          reduction,
          x,
          y,
          blocks,
          reduction === 'sum' ? 0.5 : 1,
        );
        const result = (await runDispatches(gpu, dispatches, new Map([[x, values]]))).get(y);
        const expected = expectedReduction(reduction, values, to, outputs);
        if (reduction === 'sum') expected.forEach((v, i) => (expected[i] = v / 2));
        const error = relativeError(result, expected);
        expect(error, `${reduction} of [${shape.join()}] over [${dims.join()}]`).toBeLessThan(1e-6);
        if (reduction !== 'sum') expect(error).toBe(0);
        worst = Math.max(worst, error);
      }
    }
    console.log(`reductions, ${kind}: worst relative error ${worst.toExponential(1)}`);
  });

  it('keeps a NaN that max or min meets, and lets infinities through', async () => {
    for (const length of [6, 300, 9000]) {
      const values = Float32Array.from(normal('nan', 3 * length));
      values[length + 4] = Number.NaN;
      values[2 * length + 5] = Number.POSITIVE_INFINITY;
      values[2 * length + 1] = Number.NEGATIVE_INFINITY;
      const [x, largest, smallest] = [buffer(3 * length), buffer(3), buffer(3)];
      const blocks = blocksOf([3, length], [1]);
      const context = contextOf(gpu, kind);
      const dispatches = [
        ...reduce(context, 'max', x, largest, blocks),
        ...reduce(context, 'min', x, smallest, blocks),
      ];
      const results = await runDispatches(gpu, dispatches, new Map([[x, values]]));
      const first = values.subarray(0, length);
      expect([...(results.get(largest) ?? [])]).toEqual([
        Math.max(...first),
        Number.NaN,
        Number.POSITIVE_INFINITY,
      ]);
      expect([...(results.get(smallest) ?? [])]).toEqual([
        Math.min(...first),
        Number.NaN,
        Number.NEGATIVE_INFINITY,
      ]);
    }
  });

  it('finds the first extreme along a dimension', async () => {
    for (const [outer, size, inner] of [
      [1, 1, 1],
      [3, 10, 1],
      [2, 7, 5],
      [1, 30_000, 1],
      [2, 5000, 3],
    ] as const) {
      const values = Float32Array.from(hashIndices('ties', outer * size * inner, 50));
      for (const extreme of ['max', 'min'] as const) {
        const x = buffer(values.length);
        const [value, index] = [buffer(outer * inner), buffer(outer * inner, 'i32')];
        const extent = { outer, reduce: size, inner };
        const dispatches = argExtreme(contextOf(gpu, kind), extreme, x, { value, index }, extent);
        const results = await runDispatches(gpu, dispatches, new Map([[x, values]]));
        const expected = Array.from({ length: outer * inner }, (_, j) => {
          const base = Math.floor(j / inner) * size * inner + (j % inner);
          const row = Array.from({ length: size }, (_, r) => values[base + r * inner] ?? 0);
          return row.indexOf(row.reduce((a, b) => (extreme === 'max' ? Math.max(a, b) : Math.min(a, b))));
        });
        expect([...(results.get(index) ?? [])]).toEqual(expected);
      }
    }
  });

  it('counts a NaN as the extreme', async () => {
    const [x, value, index] = [buffer(5), buffer(1), buffer(1, 'i32')];
    const extent = { outer: 1, reduce: 5, inner: 1 };
    const dispatches = argExtreme(contextOf(gpu, kind), 'max', x, { value, index }, extent);
    const values = new Float32Array([1, Number.NaN, 9, Number.NaN, 3]);
    const results = await runDispatches(gpu, dispatches, new Map([[x, values]]));
    expect(results.get(value)?.[0]).toBeNaN();
    expect(results.get(index)?.[0]).toBe(1);
  });

  it('spreads, shares and selects gradients', async () => {
    for (const { shape, dims } of CASES.slice(0, 12)) {
      const { to, outputs } = places(shape, dims);
      const values = Float32Array.from(hashIndices(`share ${shape.join('x')}`, to.length, 5));
      const gradient = normal('dy', outputs);
      const blocks = blocksOf(shape, dims);
      const top = Float32Array.from(expectedReduction('max', values, to, outputs));
      const ties = new Float64Array(outputs);
      to.forEach((j, e) => (ties[j] = (ties[j] ?? 0) + (values[e] === top[j] ? 1 : 0)));
      const [x, y, dy] = [buffer(to.length), buffer(outputs), buffer(outputs)];
      const [spreadTo, shareTo] = [buffer(to.length), buffer(to.length)];
      const context = contextOf(gpu, kind);
      const dispatches = [
        spreadGradient(context, dy, spreadTo, blocks, 0.25),
        ...shareGradient(context, x, y, dy, shareTo, blocks),
      ];
      const bindings = new Map([[x, values], [y, top], [dy, gradient as Values]]); // prettier-ignore
      const results = await runDispatches(gpu, dispatches, bindings);
      expect([...(results.get(spreadTo) ?? [])]).toEqual(to.map((j) => (gradient[j] ?? 0) / 4));
      const shared = to.map((j, e) => (values[e] === top[j] ? (gradient[j] ?? 0) / (ties[j] ?? 0) : 0));
      expect(relativeError(results.get(shareTo), shared)).toBeLessThan(1e-6);
    }
  });

  it('selects the element at the index', async () => {
    const [index, dy, dx] = [buffer(6, 'i32'), buffer(6), buffer(24)];
    const at = new Int32Array([3, 0, 1, 2, 2, 0]);
    const gradient = new Float32Array([1, 2, 3, 4, 5, 6]);
    const extent = { outer: 2, reduce: 4, inner: 3 };
    const dispatch = selectGradient(contextOf(gpu, kind), index, dy, dx, extent);
    const results = await runDispatches(gpu, [dispatch], new Map<typeof dy, typeof at | typeof gradient>([[index, at], [dy, gradient]])); // prettier-ignore
    const expected = Array.from({ length: 24 }, (_, e) => {
      const j = Math.floor(e / 12) * 3 + (e % 3);
      return at[j] === Math.floor(e / 3) % 4 ? gradient[j] : 0;
    });
    expect([...(results.get(dx) ?? [])]).toEqual(expected);
  });
});
