import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BufferRef } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { Description } from '../../src/gpu/profile.ts';
import { convDataFused, convForwardFused, convWeightFused } from '../../src/kernels/conv_fused.ts';
import type { GemmChoice } from '../../src/kernels/gemm_choice.ts';
import { materialize } from '../../src/kernels/map_ops.ts';
import { normBackwardFused } from '../../src/kernels/norm_fused.ts';
import { clipNorm } from '../../src/kernels/optimizer.ts';
import { avgPoolFused, maxPoolFused } from '../../src/kernels/pool_fused.ts';
import { dropout } from '../../src/kernels/random.ts';
import { hasSubgroupsOfEight, testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf } from './compare.ts';
import { convReference, extentOf, wLength } from './conv_reference.ts';
import {
  activated,
  channelOf,
  mapValues,
  masked,
  normValues,
  sumsOf,
  tableOf,
  viewOf,
} from './map_values.ts';
import { buffer, runDispatches } from './run.ts';
import type { Values } from './run.ts';

/*
 * NaN and infinities in maps that a kernel makes in its load or masks in its store: what comes in comes out, and leaves other
 * elements alone. Ops by themselves are in test/tensor/special-values.test.ts.
 */

const VARIANTS: Record<
  string,
  { kind: Description['kind']; choice?: Partial<GemmChoice>; bakeParams: boolean }
> = {
  'registers 4 x 8': { kind: 'cpu', choice: { tile: 'registers4' }, bakeParams: false },
  'registers 8 x 8': { kind: 'cpu', choice: { tile: 'registers8' }, bakeParams: true },
  'registers 16 x 4': { kind: 'cpu', choice: { tile: 'registers16' }, bakeParams: false },
  ...((await hasSubgroupsOfEight()) && {
    'subgroups 16 x 4': { kind: 'cpu', choice: { tile: 'subgroups16' }, bakeParams: false },
  }),
  'tiles of 4 rows': { kind: 'gpu', choice: { tile: 'tiled64x64' }, bakeParams: true },
  'tiles of 3 rows, flat': { kind: 'gpu', choice: { tile: 'tiled48x64', flat: true }, bakeParams: false },
};

/** NaN of either sign: x86 makes negative ones. */
const NANS = [0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff];

const CONV = extentOf([2, [6, 5], [5, 4], [3, 3], { p: [1, 1] }]);
const [HEIGHT, WIDTH] = [CONV.input.y, CONV.input.x];
const SIZE = [CONV.images, CONV.inChannels, HEIGHT * WIDTH] as const;

/** A map with NaNs and infinities among its values. */
function spoiled(name: string, size: readonly [number, number, number]) {
  const map = mapValues(name, size);
  const bits = new Uint32Array(map.stored.buffer);
  NANS.forEach((nan, i) => (bits[7 + 31 * i] = nan));
  map.stored[3] = Infinity;
  map.stored[50] = -Infinity;
  map.stored.forEach((value, i) => (map.dense[i] = value));
  return map;
}

function expectSame(what: string, actual: ArrayLike<number> | undefined, expected: ArrayLike<number>): void {
  const wrong = Array.from(expected).flatMap((want, i) => {
    const got = actual?.[i] ?? undefined;
    const near = got !== undefined && Math.abs(got - want) <= 1e-4 * Math.max(1, Math.abs(want));
    return near || Object.is(got, want) ? [] : [`${what}[${i}] is ${got}, not ${want}`];
  });
  expect(wrong, wrong.slice(0, 10).join('\n')).toEqual([]);
  expect(Array.from(expected).some(Number.isNaN), `${what} has no NaN`).toBe(true);
}

describe.each(Object.entries(VARIANTS))('NaN and infinities, %s', (_, { kind, choice, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => {
    gpu.destroy();
  });

  const norm = normValues('special norm', CONV.inChannels);
  const { table, stored } = tableOf(norm.rows, [CONV.inChannels, 0]);
  const weight = Float32Array.from(normal('special w', wLength(CONV)));
  const zero = new Float64Array(CONV.outChannels);

  it('in the load of a convolution and of its weight gradient', async () => {
    const x = spoiled('special x', SIZE);
    const dy = mapValues('special dy', [CONV.images, CONV.outChannels, HEIGHT * WIDTH]);
    const y = viewOf(CONV.images, CONV.outChannels, HEIGHT * WIDTH);
    const [w, dw] = [buffer(weight.length), buffer(weight.length)];
    const load = { kind: 'activation', map: x.view, norm: table, relu: true } as const;
    const context = contextOf(gpu, kind);
    const forward = { x: load, weight: w, bias: null, y, moments: false };
    const results = await runDispatches(
      gpu,
      [
        ...convForwardFused(context, CONV, forward, choice).dispatches,
        ...convWeightFused(context, CONV, { dy: { kind: 'plain', map: dy.view }, x: load, dw }, choice),
      ],
      new Map<BufferRef, Values>([
        [x.view.buffer, x.stored],
        [table.buffer, stored],
        [w, weight],
        [dy.view.buffer, dy.stored],
      ]),
    );
    const expected = convReference(CONV, activated(x, norm, true), weight, zero, dy.dense);
    expectSame('y', results.get(y.buffer), expected.y);
    expectSame('dw', results.get(dw), expected.dw);
  });

  it("in the ReLU's mask of a data gradient", async () => {
    const x = spoiled('special x', SIZE);
    const dy = spoiled('special dy', [CONV.images, CONV.outChannels, HEIGHT * WIDTH]);
    const gradient = viewOf(...SIZE);
    const w = buffer(weight.length);
    const { dispatches } = convDataFused(
      contextOf(gpu, kind),
      CONV,
      {
        dy: { kind: 'plain', map: dy.view },
        weight: w,
        out: { kind: 'norm', x: x.view, norm: table, relu: true, gradient, mode: 'store' },
      },
      choice,
    );
    const results = await runDispatches(
      gpu,
      dispatches,
      new Map<BufferRef, Values>([
        [x.view.buffer, x.stored],
        [table.buffer, stored],
        [w, weight],
        [dy.view.buffer, dy.stored],
      ]),
    );
    const g = masked(convReference(CONV, x.dense, weight, zero, dy.dense).dx, x, norm);
    const weighted = g.map((v, i) => v * (norm.weight[channelOf(x.view, i)] ?? 0));
    expectSame('gradient', results.get(gradient.buffer), weighted);
  });
});

describe.each([
  { kind: 'cpu', bakeParams: false },
  { kind: 'gpu', bakeParams: true },
] as const)('NaN and infinities, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => {
    gpu.destroy();
  });

  it.each([20, 21])(
    'in an activation of %i pixels that is written out, pooled and differentiated',
    async (pixels) => {
      const size = [2, 6, pixels] as const;
      const x = spoiled('special map', size);
      const norm = normValues('special map norm', 6);
      const { table, stored } = tableOf(norm.rows, [6, 0]);
      const dy = spoiled('special map dy', size);
      const load = { kind: 'activation', map: x.view, norm: table, relu: true } as const;
      const [written, mean, most, gradient] = [
        viewOf(...size),
        viewOf(...size),
        viewOf(...size),
        viewOf(...size),
      ];
      const shape = {
        input: [1, pixels] as const,
        output: [1, pixels] as const,
        window: { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const,
      };
      const context = contextOf(gpu, kind);
      const backward = normBackwardFused(context, {
        dy: { kind: 'plain', map: dy.view },
        x: x.view,
        norm: table,
        relu: true,
        gradient,
        mode: 'store',
      });
      const results = await runDispatches(
        gpu,
        [
          materialize(context, load, written),
          avgPoolFused(context, load, mean, shape),
          maxPoolFused(context, load, most, null, shape),
          ...backward.dispatches,
        ],
        new Map<BufferRef, Values>([
          [x.view.buffer, x.stored],
          [table.buffer, stored],
          [dy.view.buffer, dy.stored],
        ]),
      );
      const expected = activated(x, norm, true);
      expectSame('written', results.get(written.buffer), expected);
      expectSame('mean', results.get(mean.buffer), expected);
      expectSame('maximum', results.get(most.buffer), expected);
      const g = masked(dy.dense, x, norm);
      expectSame(
        'gradient',
        results.get(gradient.buffer),
        g.map((v, i) => v * (norm.weight[channelOf(x.view, i)] ?? 0)),
      );
      const sums = results.get(backward.partials.buffer) ?? new Float32Array();
      const { products, gradients } = sumsOf(g, x, norm);
      const added = (kindOfSum: number): number[] =>
        Array.from({ length: 6 }, (_, c) => {
          const { parts } = backward.partials;
          let sum = 0;
          for (let part = 0; part < parts; part++) sum += sums[(kindOfSum * parts + part) * 6 + c] ?? 0;
          return sum;
        });
      expectSame('sum of g xhat', added(0), products);
      expectSame('sum of g', added(1), gradients);
    },
  );

  it('in what a dropout leaves and in the norm that gradients are clipped to', async () => {
    const { geometry } = contextOf(gpu, kind);
    const values = new Float32Array(64).fill(Number.NaN);
    const [x, y] = [buffer(64), buffer(64)];
    const [length, coefficient] = [buffer(1), buffer(1)];
    const clip = clipNorm(
      contextOf(gpu, kind),
      [{ buffer: x, spans: [{ offset: 0, length: 64 }] }],
      length,
      coefficient,
      1,
    );
    const results = await runDispatches(
      gpu,
      [dropout(geometry, x, y, { p: 0.5, op: 1, past: { seed: 3, step: 0 } }), ...clip],
      new Map<BufferRef, Values>([[x, values]]),
    );
    expectSame('y', results.get(y), values);
    expectSame('coefficient', results.get(coefficient), [Number.NaN]);
  });
});
