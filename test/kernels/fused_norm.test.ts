import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BufferRef } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { materialize } from '../../src/kernels/map_ops.ts';
import type { MapView } from '../../src/kernels/maps.ts';
import { mapMoments, normBackwardFused } from '../../src/kernels/norm_fused.ts';
import { joinMoments, joinSums } from '../../src/kernels/norm_join.ts';
import { avgPoolFused, maxPoolFused } from '../../src/kernels/pool_fused.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import {
  activated,
  channelOf,
  gradientOf,
  mapValues,
  masked,
  momentsOf,
  normValues,
  outsideKept,
  pick,
  runTwice,
  rowOf,
  sumsOf,
  tableOf,
  viewOf,
} from './map_values.ts';
import type { Slice } from './map_values.ts';
import { buffer } from './run.ts';
import type { Values } from './run.ts';

interface MapCase {
  readonly size: readonly [images: number, channels: number, height: number, width: number];
  readonly slice?: Slice;
}

const MAPS: MapCase[] = [
  { size: [3, 1, 1, 1] },
  { size: [2, 5, 1, 7], slice: [9, 3] },
  { size: [3, 70, 2, 2], slice: [75, 5] },
  { size: [2, 6, 15, 17], slice: [7, 0] },
  { size: [1, 3, 56, 56], slice: [8, 4] },
  { size: [5, 2, 33, 31] },
];

const EPS = 1e-5;
const MOMENTUM = 0.3;
/** f32 sums over channels, and elements made from few operations. */
const TOLERANCE = 2e-6;
/** Sums of numbers that cancel. */
const SUMS_TOLERANCE = 1e-5;

describe.each(VARIANTS)('fused norms, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  const worst: Record<string, number> = {};
  const check = (
    what: string,
    actual: ArrayLike<number> | undefined,
    expected: ArrayLike<number>,
    bound = TOLERANCE,
  ): void => {
    const error = relativeError(actual, expected);
    worst[what] = Math.max(worst[what] ?? 0, error);
    expect(error, what).toBeLessThan(bound);
  };
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => {
    const shown = Object.entries(worst).map(([what, error]) => `${what} ${error.toExponential(1)}`);
    console.log(`fused norms, ${kind} kernels: largest relative errors ${shown.join(', ')}`);
    gpu.destroy();
  });

  it.each(MAPS)(
    'a norm of $size, of which some channels are fresh, has its table and running statistics',
    async ({ size: [images, channels, height, width], slice }) => {
      const pixels = height * width;
      const name = `join ${channels} ${pixels}`;
      const context = contextOf(gpu, kind);
      const x = mapValues(name, [images, channels, pixels], slice);
      // Far from 0, so that a difference of large numbers would show.
      x.dense.forEach((v, i) => (x.dense[i] = Math.fround(v + 30)));
      x.stored.forEach((v, i) => (x.stored[i] = v + 30));
      const freshFirst = Math.floor(channels / 2);
      const fresh = { first: freshFirst, count: channels - freshFirst };
      const freshView: MapView = {
        ...x.view,
        channels: fresh.count,
        offset: x.view.offset + freshFirst,
      };
      const count = images * pixels;
      const { means, squares } = momentsOf(x.dense, (i) => channelOf(x.view, i), channels);
      const variances = squares.map((v) => v / count);
      const known = (values: number[]): number[] => values.map((v, c) => (c < freshFirst ? v : Number.NaN));
      const at: Slice = slice ?? [channels, 0];
      const moments = tableOf([known(means), known(variances)], at);
      const norm = tableOf([[], [], [], [], []], at);
      const [weight, bias] = [buffer(channels), buffer(channels)];
      const [mean, variance] = [buffer(channels), buffer(channels)];
      const [w, b] = [normal(`${name} w`, channels), normal(`${name} b`, channels)];
      const [m, v] = [normal(`${name} m`, channels), normal(`${name} v`, channels).map((e) => e * e)];
      const made = mapMoments(context, freshView);
      const running = { mean, variance, momentum: MOMENTUM };
      const shared = { moments: moments.table, channels, count, eps: EPS };
      const second = tableOf([[], [], [], [], []], [channels, 0]);
      const join = joinMoments(context, {
        ...shared,
        partials: made.partials,
        fresh,
        running: count > 1 ? running : null,
        weight,
        bias,
        norm: norm.table,
      });
      const again = joinMoments(context, {
        ...shared,
        partials: null,
        fresh: { first: 0, count: 0 },
        running: null,
        weight: null,
        bias: null,
        norm: second.table,
      });
      expect(join.operands.length).toBeLessThanOrEqual(8);
      const bindings = new Map<BufferRef, Values>([
        [x.view.buffer, x.stored],
        [moments.table.buffer, moments.stored],
        [weight, w as Values],
        [bias, b as Values],
      ]);
      if (count > 1) bindings.set(mean, m as Values).set(variance, v);
      const results = await runTwice(gpu, [...made.dispatches, join, again], bindings);
      const invstd = variances.map((value) => 1 / Math.sqrt(value + EPS));
      const rows = (gain: ArrayLike<number>, offset: ArrayLike<number>): number[][] => [
        invstd.map((r, c) => r * (gain[c] ?? 0)),
        invstd.map((r, c) => (offset[c] ?? 0) - (means[c] ?? 0) * r * (gain[c] ?? 0)),
        means,
        invstd,
        Array.from(gain),
      ];
      const ones = new Array<number>(channels).fill(1);
      const zeros = new Array<number>(channels).fill(0);
      rows(w, b).forEach((row, r) => {
        check(`table row ${r}`, rowOf(norm.table, results.get(norm.table.buffer), r, channels), row);
      });
      rows(ones, zeros).forEach((row, r) => {
        check(`table row ${r}`, rowOf(second.table, results.get(second.table.buffer), r, channels), row);
      });
      const after = results.get(moments.table.buffer);
      check('mean', rowOf(moments.table, after, 0, channels), means);
      check('variance', rowOf(moments.table, after, 1, channels), variances);
      if (count === 1) return;
      const moved = (from: ArrayLike<number>, to: number[]): number[] =>
        to.map((value, c) => (1 - MOMENTUM) * (from[c] ?? 0) + MOMENTUM * value);
      check('running mean', results.get(mean), moved(m, means));
      const unbiased = variances.map((value) => (value * count) / (count - 1));
      check('running variance', results.get(variance), moved(v, unbiased));
    },
  );

  it.each(
    MAPS.flatMap((map, i) => [
      { ...map, relu: i % 2 === 0, mode: 'store', pooled: false } as const,
      { ...map, relu: i % 2 === 1, mode: 'accumulate', pooled: false } as const,
      { ...map, relu: true, mode: 'store', pooled: true } as const,
    ]),
  )(
    'the gradient of a norm of $size, relu $relu, $mode, pooled $pooled',
    async ({ size: [images, channels, height, width], slice, relu, mode, pooled }) => {
      const pixels = height * width;
      const name = `backward ${channels} ${pixels} ${pooled}`;
      const context = contextOf(gpu, kind);
      const at: Slice = slice ?? [channels, 0];
      const x = mapValues(`${name} x`, [images, channels, pixels], slice);
      const norm = normValues(name, channels);
      const { table, stored } = tableOf(norm.rows, at);
      const gradient = mapValues(
        `${name} G`,
        [images, channels, pixels],
        slice && [slice[0] + 2, slice[1] + 1],
        5,
      );
      // Windows that leave a rest where the sizes are odd.
      const kernel: [number, number] = [Math.min(2, height), Math.min(3, width)];
      const output: [number, number] = [Math.floor(height / kernel[0]), Math.floor(width / kernel[1])];
      const dySize = pooled ? output[0] * output[1] : pixels;
      const dy = mapValues(`${name} dy`, [images, channels, dySize], slice && [slice[0] + 4, 0]);
      const load = pooled
        ? ({ kind: 'averagePooled', map: dy.view, kernel, input: [height, width], output } as const)
        : ({ kind: 'plain', map: dy.view } as const);
      const { dispatches, partials } = normBackwardFused(context, {
        dy: load,
        x: x.view,
        norm: table,
        relu,
        gradient: gradient.view,
        mode,
      });
      const [dweight, dbias] = [buffer(channels), buffer(channels)];
      const sums = tableOf([normal('s0', channels), normal('s1', channels)], at);
      const coefficients = tableOf([[], [], []], [channels, 0]);
      const count = images * pixels;
      const accumulate = mode === 'accumulate';
      const join = joinSums(context, {
        partials,
        channels,
        count,
        norm: table,
        dweight,
        dbias: accumulate ? null : dbias,
        sums: sums.table,
        accumulate,
        coefficients: coefficients.table,
      });
      const bindings = new Map<BufferRef, Values>([
        [x.view.buffer, x.stored],
        [dy.view.buffer, dy.stored],
        [table.buffer, stored],
        [sums.table.buffer, sums.stored],
      ]);
      if (accumulate || slice !== undefined) bindings.set(gradient.view.buffer, gradient.stored);
      const results = await runTwice(gpu, [...dispatches, join], bindings);
      const spreadOut = x.dense.map((_, i) => {
        if (!pooled) return dy.dense[i] ?? 0;
        const plane = Math.floor(i / pixels);
        const [py, px] = [
          Math.floor(Math.floor((i % pixels) / width) / kernel[0]),
          Math.floor((i % width) / kernel[1]),
        ];
        if (py >= output[0] || px >= output[1]) return 0;
        return (dy.dense[(plane * output[0] + py) * output[1] + px] ?? 0) / (kernel[0] * kernel[1]);
      });
      const g = relu ? masked(spreadOut, x, norm) : spreadOut;
      const expected = g.map(
        (v, i) => (accumulate ? (gradient.dense[i] ?? 0) : 0) + (norm.weight[channelOf(x.view, i)] ?? 0) * v,
      );
      const after = results.get(gradient.view.buffer);
      check('gradient', pick(gradient.view, after), expected);
      if (slice !== undefined) expect(outsideKept(gradient.view, gradient.stored, after)).toBe(true);
      const { products, gradients } = sumsOf(g, x, norm);
      check('dweight', results.get(dweight), products, SUMS_TOLERANCE);
      if (!accumulate) check('dbias', results.get(dbias), gradients, SUMS_TOLERANCE);
      const weighted = (own: number[], r: number): number[] =>
        own.map(
          (v, c) => v * (norm.weight[c] ?? 0) + (accumulate ? (sums.stored[r * at[0] + at[1] + c] ?? 0) : 0),
        );
      const [s1, s2] = [weighted(gradients, 0), weighted(products, 1)];
      const allSums = results.get(sums.table.buffer);
      check('sums of dbias', rowOf(sums.table, allSums, 0, channels), s1, SUMS_TOLERANCE);
      check('sums of dweight', rowOf(sums.table, allSums, 1, channels), s2, SUMS_TOLERANCE);
      const r = norm.invstd;
      const wanted = [
        Array.from(r),
        s2.map((v, c) => (-((r[c] ?? 0) ** 2) * v) / count),
        s1.map((v, c) => {
          const slope = ((r[c] ?? 0) * (norm.mean[c] ?? 0) * (s2[c] ?? 0)) / count;
          return (r[c] ?? 0) * (slope - v / count);
        }),
      ];
      wanted.forEach((row, i) => {
        const found = rowOf(coefficients.table, results.get(coefficients.table.buffer), i, channels);
        check(`coefficient ${'pqs'[i] ?? ''}`, found, row, SUMS_TOLERANCE);
      });
    },
  );

  it.each(MAPS)('loads of $size written out', async ({ size: [images, channels, height, width], slice }) => {
    const pixels = height * width;
    const name = `write ${channels} ${pixels}`;
    const context = contextOf(gpu, kind);
    const at: Slice = slice ?? [channels, 0];
    const x = mapValues(`${name} x`, [images, channels, pixels], slice);
    const other = mapValues(`${name} g`, [images, channels, pixels]);
    const norm = normValues(name, channels);
    const { table, stored } = tableOf(norm.rows, at);
    const rows = ['p', 'q', 's'].map((row) => normal(row, channels));
    const coefficients = tableOf(rows, at);
    const dense = (): MapView => viewOf(images, channels, pixels);
    const [plain, active, linear, gradient] = [dense(), dense(), dense(), dense()];
    const part = mapValues('part', [images, channels, pixels], [channels + 3, 2], 5);
    const activation = { kind: 'activation', map: x.view, norm: table } as const;
    const results = await runTwice(
      gpu,
      [
        materialize(context, { kind: 'plain', map: x.view }, plain),
        materialize(context, { ...activation, relu: true }, active),
        materialize(context, { ...activation, relu: true }, part.view),
        materialize(context, { ...activation, relu: false }, linear),
        materialize(
          context,
          { kind: 'gradient', gradient: other.view, input: x.view, coefficients: coefficients.table },
          gradient,
        ),
      ],
      new Map<BufferRef, Values>([
        [x.view.buffer, x.stored],
        [other.view.buffer, other.stored],
        [table.buffer, stored],
        [coefficients.table.buffer, coefficients.stored],
        [part.view.buffer, part.stored],
      ]),
    );
    expect(pick(plain, results.get(plain.buffer))).toEqual(x.dense);
    check('activation', results.get(active.buffer), activated(x, norm, true));
    check('activation', pick(part.view, results.get(part.view.buffer)), activated(x, norm, true));
    expect(outsideKept(part.view, part.stored, results.get(part.view.buffer))).toBe(true);
    check('linear', results.get(linear.buffer), activated(x, norm, false));
    check('made gradient', results.get(gradient.buffer), gradientOf(other, x, rows));
  });

  it.each(MAPS.slice(1))(
    'poolings of an activation of $size',
    async ({ size: [images, channels, height, width], slice }) => {
      const pixels = height * width;
      const name = `pool ${channels} ${pixels}`;
      const context = contextOf(gpu, kind);
      const x = mapValues(`${name} x`, [images, channels, pixels], slice);
      const norm = normValues(name, channels);
      const { table, stored } = tableOf(norm.rows, slice ?? [channels, 0]);
      const kernel: [number, number] = [Math.min(2, height), 2];
      const output: [number, number] = [Math.floor(height / kernel[0]), Math.floor(width / 2)];
      const shape = {
        input: [height, width] as const,
        output,
        window: { kernel, stride: kernel, padding: [0, 0], dilation: [1, 1] } as const,
      };
      const size = output[0] * output[1];
      const mean = mapValues('mean', [images, channels, size], [channels + 2, 1], 5);
      const plainMean = viewOf(images, channels, size);
      const most = viewOf(images, channels, size);
      const indices = buffer(images * channels * size, 'i32');
      const load = { kind: 'activation', map: x.view, norm: table, relu: true } as const;
      const results = await runTwice(
        gpu,
        [
          avgPoolFused(context, load, mean.view, shape),
          avgPoolFused(context, { kind: 'plain', map: x.view }, plainMean, shape),
          maxPoolFused(context, load, most, indices, shape),
        ],
        new Map<BufferRef, Values>([
          [x.view.buffer, x.stored],
          [table.buffer, stored],
          [mean.view.buffer, mean.stored],
        ]),
      );
      const dense = activated(x, norm, true);
      const windows = (values: Float64Array): number[][] =>
        Array.from({ length: images * channels * size }, (_, o) => {
          const plane = Math.floor(o / size);
          const [oy, ox] = [Math.floor((o % size) / output[1]), o % output[1]];
          return Array.from({ length: kernel[0] * 2 }, (_unused, k) => {
            const [iy, ix] = [oy * kernel[0] + Math.floor(k / 2), ox * 2 + (k % 2)];
            return values[plane * pixels + iy * width + ix] ?? Number.NaN;
          });
        });
      const average = (values: number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
      const after = results.get(mean.view.buffer);
      check('mean of windows', pick(mean.view, after), windows(dense).map(average));
      expect(outsideKept(mean.view, mean.stored, after)).toBe(true);
      check('mean of windows', results.get(plainMean.buffer), windows(x.dense).map(average));
      check(
        'maximum of windows',
        results.get(most.buffer),
        windows(dense).map((values) => Math.max(...values)),
      );
      const places = windows(dense).map((values, o) => {
        const k = values.indexOf(Math.max(...values));
        const [oy, ox] = [Math.floor((o % size) / output[1]), o % output[1]];
        return (oy * kernel[0] + Math.floor(k / 2)) * width + ox * 2 + (k % 2);
      });
      expect(Array.from(results.get(indices) ?? [])).toEqual(places);
    },
  );
});
