import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROFILES, type AdapterProfile } from '../../src/gpu/profile.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { fill } from '../../src/kernels/elementwise.ts';
import { indexSelect, indexSelectBackward, stridedCopy } from '../../src/kernels/movement.ts';
import { planWalk } from '../../src/kernels/strided.ts';
import { Generator } from '../../src/tensor/graph/random.ts';
import { contiguousStrides, elementCount } from '../../src/tensor/graph/shape.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

interface Case {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: { length: number; offset: number; strides: readonly number[] };
  readonly to: { length: number; offset: number; strides: readonly number[] };
}

const dense = (shape: readonly number[]) => ({
  length: elementCount(shape),
  offset: 0,
  strides: contiguousStrides(shape),
});

/** A part of `shape` that starts at `start` in a whole of `sizes`, taken at every `step`. */
function partOf(sizes: readonly number[], start: readonly number[], step: readonly number[]) {
  const strides = contiguousStrides(sizes);
  return {
    length: elementCount(sizes),
    offset: start.reduce((sum, at, i) => sum + at * (strides[i] ?? 0), 0),
    strides: strides.map((stride, i) => stride * (step[i] ?? 1)),
  };
}

function permuted(sizes: readonly number[], order: readonly number[]): Case {
  const strides = contiguousStrides(sizes);
  const shape = order.map((dim) => sizes[dim] ?? 0);
  return {
    name: `permute [${sizes.join()}] by [${order.join()}]`,
    shape,
    from: { length: elementCount(sizes), offset: 0, strides: order.map((dim) => strides[dim] ?? 0) },
    to: dense(shape),
  };
}

function sliced(sizes: readonly number[], start: number[], shape: number[], step: number[]): Case[] {
  const part = partOf(sizes, start, step);
  const name = `[${shape.join()}] at [${start.join()}] of [${sizes.join()}] by [${step.join()}]`;
  return [
    { name: `read ${name}`, shape, from: part, to: dense(shape) },
    { name: `write ${name}`, shape, from: dense(shape), to: part },
  ];
}

const CASES: Case[] = [
  { name: 'one element', shape: [], from: dense([]), to: dense([]) },
  { name: 'dense', shape: [3, 5], from: dense([3, 5]), to: dense([3, 5]) },
  permuted([5, 7], [1, 0]),
  permuted([2, 3, 8], [1, 0, 2]),
  permuted([33, 16], [1, 0]),
  permuted([2, 70, 3, 45], [3, 2, 0, 1]),
  permuted([3, 16, 2, 31], [0, 3, 2, 1]),
  {
    name: 'part of a part, transposed',
    shape: [37, 18],
    from: { ...partOf([40, 50], [3, 1], [1, 1]), strides: [1, 50] },
    to: partOf([41, 30], [2, 5], [1, 1]),
  },
  permuted([2, 3, 4, 5], [0, 2, 3, 1]),
  permuted([2, 3, 2, 3, 2, 4], [5, 3, 1, 4, 2, 0]),
  permuted([2, 3, 2, 3, 2, 4], [4, 2, 0, 3, 1, 5]),
  ...sliced([2, 8, 4, 4], [0, 2, 0, 0], [2, 5, 4, 4], [1, 1, 1, 1]),
  ...sliced([3, 5, 3, 3], [0, 1, 0, 0], [3, 3, 3, 3], [1, 1, 1, 1]),
  ...sliced([17], [3], [5], [3]),
  ...sliced([4, 16], [1, 4], [2, 8], [2, 1]),
  ...sliced([4, 16], [1, 2], [2, 8], [1, 1]),
  ...sliced([5, 41], [1, 2], [3, 37], [1, 1]),
  ...sliced([6, 20], [0, 0], [3, 20], [2, 1]),
  { name: 'expand rows', shape: [3, 8], from: { length: 8, offset: 0, strides: [0, 1] }, to: dense([3, 8]) },
  {
    name: 'expand columns',
    shape: [3, 8],
    from: { length: 3, offset: 0, strides: [1, 0] },
    to: dense([3, 8]),
  },
  {
    name: 'expand channels',
    shape: [2, 3, 4, 5],
    from: { length: 3, offset: 0, strides: [0, 1, 0, 0] },
    to: dense([2, 3, 4, 5]),
  },
];

function move(from: Values, to: Values, { shape, from: a, to: b }: Case): void {
  const count = elementCount(shape);
  for (let e = 0; e < count; e++) {
    let rest = e;
    let [source, target] = [a.offset, b.offset];
    for (let i = shape.length - 1; i >= 0; i--) {
      const at = rest % (shape[i] ?? 1);
      source += at * (a.strides[i] ?? 0);
      target += at * (b.strides[i] ?? 0);
      rest = Math.floor(rest / (shape[i] ?? 1));
    }
    to[target] = from[source] ?? Number.NaN;
  }
}

describe.each(VARIANTS)(
  'movement kernels, $kind variant, params baked: $bakeParams',
  ({ kind, bakeParams }) => {
    let gpu: Gpu;
    let geometry: AdapterProfile;
    beforeAll(async () => {
      gpu = await testGpu({ bakeParams });
      ({ geometry } = contextOf(gpu, kind));
    });
    afterAll(() => {
      gpu.destroy();
    });

    it('strided copies put every element in its place and touch no other', async () => {
      const bindings = new Map<ReturnType<typeof buffer>, Values>();
      const runs = CASES.map((one) => {
        const [from, to] = [buffer(one.from.length), buffer(one.to.length)];
        const values = Float32Array.from(normal(one.name, one.from.length));
        values[0] = Number.NaN;
        bindings.set(from, values);
        const covers = one.to.length === elementCount(one.shape);
        const copy = stridedCopy(
          geometry,
          one.shape,
          { buffer: from, view: one.from },
          { buffer: to, view: one.to },
          covers,
        );
        const expected = new Float32Array(one.to.length).fill(7);
        move(values, expected, one);
        return { name: one.name, to, expected, dispatches: covers ? [copy] : [fill(geometry, to, 7), copy] };
      });
      const results = await runDispatches(
        gpu,
        runs.flatMap(({ dispatches }) => dispatches),
        bindings,
      );
      for (const { name, to, expected } of runs) expect(results.get(to), name).toEqual(expected);
    });

    it.each([
      { outer: 1, rows: 5, selected: 7, inner: 1 },
      { outer: 1, rows: 9, selected: 4, inner: 12 },
      { outer: 3, rows: 4, selected: 6, inner: 5 },
      { outer: 2, rows: 1, selected: 1, inner: 8 },
    ])('index selection $outer x $rows x $inner, $selected rows', async (selection) => {
      const { outer, rows, selected, inner } = selection;
      const generator = new Generator(rows);
      const names = Int32Array.from({ length: selected }, () => generator.integer(rows));
      if (selected > 2) names.set([-1, rows]);
      const values = Float32Array.from(normal('x', outer * rows * inner));
      const upstream = Float32Array.from(normal('dy', outer * selected * inner));
      const [x, indices, y] = [buffer(values.length), buffer(selected, 'i32'), buffer(upstream.length)];
      const [dy, dx] = [buffer(upstream.length), buffer(values.length)];
      const results = await runDispatches(
        gpu,
        [
          indexSelect(geometry, x, indices, y, selection),
          indexSelectBackward(geometry, dy, indices, dx, selection),
        ],
        new Map<ReturnType<typeof buffer>, Values>([
          [x, values],
          [indices, names],
          [dy, upstream],
        ]),
      );
      const exact = new Float32Array(upstream.length);
      const gradient = new Float64Array(values.length);
      for (let o = 0; o < outer; o++) {
        names.forEach((row, j) => {
          for (let i = 0; i < inner; i++) {
            const [to, from] = [(o * selected + j) * inner + i, (o * rows + row) * inner + i];
            const inside = row >= 0 && row < rows;
            exact[to] = inside ? (values[from] ?? NaN) : NaN;
            if (inside) gradient[from] = (gradient[from] ?? 0) + (upstream[to] ?? NaN);
          }
        });
      }
      expect(results.get(y)).toEqual(exact);
      expect(relativeError(results.get(dx), gradient)).toBeLessThan(2e-7);
    });
  },
);

describe('planning a walk', () => {
  const geometry = PROFILES.h100;

  it('sees a slice of channels as blocks of vectors, one division each', () => {
    const whole = contiguousStrides([8, 32, 14, 14]);
    const part = contiguousStrides([8, 16, 14, 14]);
    const walk = planWalk(
      geometry,
      [8, 16, 14, 14],
      { offset: 196, strides: whole },
      { offset: 0, strides: part },
      false,
    );
    expect(walk.vector).toBe(true);
    expect(walk.threads).toBe((8 * 16 * 14 * 14) / 4);
    expect(walk.when).toMatchObject({ RANK2: true, RANK3: false });
  });

  it('refuses more than six dimensions that do not merge', () => {
    const shape = [2, 2, 2, 2, 2, 2, 2];
    const strides = contiguousStrides(shape);
    const reversed = { offset: 0, strides: strides.toReversed() };
    expect(() => planWalk(geometry, shape, { offset: 0, strides }, reversed, false)).toThrow(
      'kernels take 6',
    );
  });
});
