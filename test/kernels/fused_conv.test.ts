import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BufferRef } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { Description } from '../../src/gpu/profile.ts';
import { convDataFused, convForwardFused, convWeightFused } from '../../src/kernels/conv_fused.ts';
import type { ConvChoice } from '../../src/kernels/conv_choice.ts';
import type { ActivationLoad, PlainLoad } from '../../src/kernels/maps.ts';
import { hasSubgroupsOfEight, testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError } from './compare.ts';
import { convReference, extentOf, wLength } from './conv_reference.ts';
import { CASES, type FusedCase } from './fused_conv_cases.ts';
import { normalOf, skipWithout } from './halves.ts';
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
  sumsOf,
  tableOf,
} from './map_values.ts';
import type { Slice } from './map_values.ts';
import { buffer } from './run.ts';
import type { Values } from './run.ts';

/** Also without norms, which is what convolutions' own tests cover elsewhere. */
const PLAIN_TOO = 'a growth 3x3 into a block';

interface Variant {
  readonly kind: Description['kind'];
  readonly choice?: Partial<ConvChoice>;
  readonly bakeParams?: boolean;
  readonly cases?: readonly string[];
  /** Of A and B as they are stored, f32 by default; matrices then round what the loads make to f16. */
  readonly dtype?: 'f32' | 'f16';
}

const VARIANTS: Record<string, Variant> = {
  'chosen for a CPU': { kind: 'cpu' },
  'registers 8': {
    kind: 'cpu',
    choice: { tile: 'registers8' },
    cases: ['whole tiles of many rows', 'a bottleneck 1x1 in quads', '3x5 uneven in everything'],
  },
  'registers 16': {
    kind: 'cpu',
    choice: { tile: 'registers16' },
    cases: ['a growth 3x3 into a block', '3x5 uneven in everything', 'grouped'],
  },
  ...((await hasSubgroupsOfEight()) && {
    'subgroups 24': {
      kind: 'cpu',
      choice: { tile: 'subgroups24', chunk: 8 },
      cases: ['a growth 3x3 into a block', '3x5 uneven in everything', 'grouped'],
    },
  }),
  'registers 4': {
    kind: 'cpu',
    choice: { tile: 'registers4', chunk: 8 },
    cases: ['3x5 uneven in everything'],
  },
  'chosen for a GPU': {
    kind: 'gpu',
    cases: [
      'a bottleneck 1x1 from a block',
      'a bottleneck 1x1 in quads',
      'a growth 3x3 into a block',
      'a growth 3x3 of even channels',
      '3x5 uneven in everything',
      'size 1',
      'grouped',
    ],
  },
  'tiled 128 x 128': {
    kind: 'gpu',
    choice: { tile: 'tiled128x128', flat: false },
    cases: ['3x5 uneven in everything'],
  },
  'tiled 96 x 128': {
    kind: 'gpu',
    choice: { tile: 'tiled96x128', flat: false },
    cases: ['whole tiles of many rows'],
  },
  'tiled 48 x 128 flat, sizes compiled in': {
    kind: 'gpu',
    choice: { tile: 'tiled48x128', flat: true },
    bakeParams: true,
    cases: ['a growth 3x3 into a block'],
  },
  'Winograd fused': {
    kind: 'cpu',
    choice: { method: 'winogradFused' },
    cases: ['a growth 3x3 into a block', 'a growth 3x3 of even channels', 'a 3x3 with bias, no relu'],
  },
  'Winograd for a CPU': {
    kind: 'cpu',
    choice: { method: 'winograd' },
    cases: ['a growth 3x3 of even channels', 'a 3x3 with bias, no relu'],
  },
  'Winograd for a GPU in rounds, sizes compiled in': {
    kind: 'gpu',
    choice: { method: 'winograd', workspace: 1 },
    bakeParams: true,
    cases: ['a growth 3x3 into a block', 'a growth 3x3 of even channels', 'a 3x3 of many tiles'],
  },
  'f16, registers 16': {
    kind: 'cpu',
    choice: { tile: 'registers16' },
    dtype: 'f16',
    cases: ['3x5 uneven in everything'],
  },
  'f16, tiled 48 x 64': {
    kind: 'gpu',
    choice: { tile: 'tiled48x64' },
    dtype: 'f16',
    cases: ['3x5 uneven in everything'],
  },
  'f16, matrix 64 x 64': {
    kind: 'gpu',
    choice: { tile: 'matrix64x64' },
    dtype: 'f16',
    cases: ['a bottleneck 1x1 in quads', 'a growth 3x3 into a block', '3x5 uneven in everything', 'grouped'],
  },
  'f16, matrix 96 x 128 flat': {
    kind: 'gpu',
    choice: { tile: 'matrix96x128', flat: true },
    dtype: 'f16',
    cases: ['whole tiles of many rows'],
  },
};

/** As for plain convolutions; products are as many. Sums over all pixels of cancelling numbers lose some more. */
const TOLERANCE = 2e-6;
const SUMS_TOLERANCE = 1e-5;
/**
 * Few elements lie so close to the middle of two f16 numbers that f32 and f64 round them differently, by 2^-11 of themselves: errors of
 * at most 1.1e-5, in sums 5.3e-6.
 */
const MATRIX_TOLERANCE = 2e-5;

describe.each(Object.entries(VARIANTS))(
  'fused conv2d, %s',
  (title, { kind, choice, bakeParams = false, cases = Object.keys(CASES), dtype = 'f32' }) => {
    let gpu: Gpu;
    const worst: Record<string, number> = {};
    const check = (
      what: string,
      actual: ArrayLike<number>,
      expected: ArrayLike<number>,
      bound: number,
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
      console.log(`fused conv2d, ${title}: largest relative errors ${shown.join(', ')}`);
      gpu.destroy();
    });

    const onMatrices = choice?.tile?.startsWith('matrix') === true;
    const tolerance = onMatrices ? MATRIX_TOLERANCE : TOLERANCE;
    const sumsTolerance = onMatrices ? MATRIX_TOLERANCE : SUMS_TOLERANCE;
    /** What a load makes, as the product takes it. */
    const taken = (values: Float64Array): Float64Array => (onMatrices ? values.map(Math.f16round) : values);

    const chosen = Object.entries(CASES).filter(([name]) => cases.includes(name));

    it.for(chosen)(
      '%s: forward equals conv2d of the activation, with its statistics',
      async ([name, test], { skip }) => {
        skipWithout(gpu, skip, dtype, choice);
        const { conv, x, y, weight, bias, norm, ySize } = inputsOf(name, test, dtype);
        const { table, stored } = tableOf(norm.rows, test.x ?? [conv.inChannels, 0]);
        const loads: (ActivationLoad | PlainLoad)[] = [
          { kind: 'activation', map: x.view, norm: table, relu: test.relu },
          { kind: 'plain', map: x.view },
        ];
        for (const load of loads.slice(0, name === PLAIN_TOO ? 2 : 1)) {
          const [w, b] = [buffer(weight.length, dtype), buffer(bias.length)];
          const fused = { x: load, weight: w, bias: test.bias ? b : null, y: y.view };
          const moments = load.kind === 'activation';
          const { dispatches, partials } = convForwardFused(
            contextOf(gpu, kind),
            conv,
            { ...fused, moments },
            choice,
          );
          if (choice?.method === undefined) expect(dispatches).toHaveLength(1);
          expect(partials === null).toBe(!moments);
          const bindings = new Map<BufferRef, Values>([
            [x.view.buffer, x.stored],
            [w, weight],
          ]);
          if (load.kind === 'activation') bindings.set(table.buffer, stored);
          if (test.bias) bindings.set(b, bias);
          if (test.y !== undefined) bindings.set(y.view.buffer, y.stored);
          const results = await runTwice(gpu, dispatches, bindings);
          const input = load.kind === 'activation' ? taken(activated(x, norm, test.relu)) : x.dense;
          const zero = new Float64Array(conv.outChannels);
          const expected = convReference(conv, input, weight, test.bias ? bias : zero, y.dense).y;
          check('y', pick(y.view, results.get(y.view.buffer)), expected, tolerance);
          if (test.y !== undefined) {
            expect(outsideKept(y.view, y.stored, results.get(y.view.buffer))).toBe(true);
          }
          if (partials === null) continue;
          const found = joined(results.get(partials.buffer) ?? new Float32Array(), partials);
          const wanted = momentsOf(expected, (i) => channelOf(y.view, i), conv.outChannels);
          expect(found.counts).toEqual(new Array(conv.outChannels).fill(ySize / conv.outChannels));
          check('mean', found.means, wanted.means, sumsTolerance);
          check('squares', found.squares, wanted.squares, sumsTolerance);
        }
      },
    );

    it.for(chosen)('%s: backward to data through the norm', async ([name, test], { skip }) => {
      skipWithout(gpu, skip, dtype, choice);
      const { conv, x, weight, norm, dy, dyInput, coefficients } = inputsOf(name, test, dtype);
      const { table, stored } = tableOf(norm.rows, test.x ?? [conv.inChannels, 0]);
      const factors = tableOf(coefficients, test.y ?? [conv.outChannels, 0]);
      // C and the norm's input have one type.
      const own = { ...x.view, buffer: buffer(x.view.buffer.length) };
      const w = buffer(weight.length, dtype);
      const gradient = mapValues(
        `${name} start`,
        [conv.images, conv.inChannels, x.view.pixels],
        wider(test.x),
        5,
      );
      const mode = test.accumulate ? 'accumulate' : 'store';
      const { dispatches, partials } = convDataFused(
        contextOf(gpu, kind),
        conv,
        {
          dy: { kind: 'gradient', gradient: dy.view, input: dyInput.view, coefficients: factors.table },
          weight: w,
          out: { kind: 'norm', x: own, norm: table, relu: test.relu, gradient: gradient.view, mode },
        },
        choice,
      );
      const plain = mapValues(`${name} dx`, [conv.images, conv.inChannels, x.view.pixels]);
      const plainDispatches = convDataFused(
        contextOf(gpu, kind),
        conv,
        { dy: { kind: 'plain', map: dy.view }, weight: w, out: { kind: 'plain', dx: plain.view } },
        choice,
      ).dispatches;
      if (choice?.method === undefined) expect(dispatches).toHaveLength(1);
      const bindings = new Map<BufferRef, Values>([
        [dy.view.buffer, dy.stored],
        [dyInput.view.buffer, dyInput.stored],
        [factors.table.buffer, factors.stored],
        [own.buffer, x.stored],
        [table.buffer, stored],
        [w, weight],
      ]);
      if (test.accumulate || test.x !== undefined) bindings.set(gradient.view.buffer, gradient.stored);
      const results = await runTwice(
        gpu,
        [...dispatches, ...(name === PLAIN_TOO ? plainDispatches : [])],
        bindings,
      );
      const made = taken(gradientOf(dy, dyInput, coefficients));
      const zero = new Float64Array(conv.outChannels);
      const { dx } = convReference(conv, x.dense, weight, zero, made);
      const g = test.relu ? masked(dx, x, norm) : dx;
      const expected = g.map(
        (v, i) =>
          (test.accumulate ? (gradient.dense[i] ?? 0) : 0) + (norm.weight[channelOf(x.view, i)] ?? 0) * v,
      );
      const after = results.get(gradient.view.buffer);
      check('gradient', pick(gradient.view, after), expected, tolerance);
      if (test.x !== undefined) expect(outsideKept(gradient.view, gradient.stored, after)).toBe(true);
      const sums = sumsOf(g, x, norm);
      const found = results.get(partials?.buffer ?? w);
      check('sum of g xhat', addedUp(found, partials, 0), sums.products, sumsTolerance);
      check('sum of g', addedUp(found, partials, 1), sums.gradients, sumsTolerance);
      if (name !== PLAIN_TOO) return;
      const plainDx = convReference(conv, x.dense, weight, zero, dy.dense).dx;
      check('plain dx', results.get(plain.view.buffer) ?? [], plainDx, tolerance);
    });

    it.for(chosen)('%s: backward to the weight', async ([name, test], { skip }) => {
      skipWithout(gpu, skip, dtype, choice);
      const { conv, x, weight, norm, dy, dyInput, coefficients } = inputsOf(name, test, dtype);
      const { table, stored } = tableOf(norm.rows, test.x ?? [conv.inChannels, 0]);
      const factors = tableOf(coefficients, test.y ?? [conv.outChannels, 0]);
      const [dw, dwPlain, plain] = [buffer(weight.length), buffer(weight.length), buffer(weight.length)];
      const gradient = {
        kind: 'gradient',
        gradient: dy.view,
        input: dyInput.view,
        coefficients: factors.table,
      } as const;
      const activation = { kind: 'activation', map: x.view, norm: table, relu: test.relu } as const;
      const context = contextOf(gpu, kind);
      const dyPlain = { kind: 'plain', map: dy.view } as const;
      const xPlain = { kind: 'plain', map: x.view } as const;
      const alsoPlain = [
        ...convWeightFused(context, conv, { dy: dyPlain, x: activation, dw: dwPlain }, choice),
        ...convWeightFused(context, conv, { dy: dyPlain, x: xPlain, dw: plain }, choice),
      ];
      const results = await runTwice(
        gpu,
        [
          ...convWeightFused(context, conv, { dy: gradient, x: activation, dw }, choice),
          ...(name === PLAIN_TOO ? alsoPlain : []),
        ],
        new Map<BufferRef, Values>([
          [dy.view.buffer, dy.stored],
          [dyInput.view.buffer, dyInput.stored],
          [factors.table.buffer, factors.stored],
          [x.view.buffer, x.stored],
          [table.buffer, stored],
        ]),
      );
      const made = taken(gradientOf(dy, dyInput, coefficients));
      const zero = new Float64Array(conv.outChannels);
      const expected = (input: Float64Array, output: Float64Array): Float64Array =>
        convReference(conv, input, weight, zero, output).dw;
      check('dw', results.get(dw) ?? [], expected(taken(activated(x, norm, test.relu)), made), tolerance);
      if (name !== PLAIN_TOO) return;
      check(
        'dw of plain dy',
        results.get(dwPlain) ?? [],
        expected(taken(activated(x, norm, test.relu)), dy.dense),
        tolerance,
      );
      check('plain dw', results.get(plain) ?? [], expected(x.dense, dy.dense), tolerance);
    });
  },
);

function inputsOf(name: string, { sizes, x, y }: FusedCase, dtype: 'f32' | 'f16') {
  const conv = extentOf(sizes);
  const values = (what: string, length: number): Float32Array<ArrayBuffer> =>
    new Float32Array(normal(`${name} ${what}`, length));
  const inputSize = [conv.images, conv.inChannels, conv.input.y * conv.input.x] as const;
  const outputSize = [conv.images, conv.outChannels, conv.output.y * conv.output.x] as const;
  return {
    conv,
    x: storedAs(dtype, mapValues(`${name} x`, inputSize, x)),
    y: mapValues(`${name} y`, outputSize, y, 7),
    ySize: outputSize.reduce((product, size) => product * size, 1),
    weight: normalOf(dtype, `${name} w`, wLength(conv)),
    bias: values('bias', conv.outChannels),
    norm: normValues(`${name} norm`, conv.inChannels),
    dy: storedAs(dtype, mapValues(`${name} dy`, outputSize, y)),
    dyInput: storedAs(dtype, mapValues(`${name} norm of dy`, outputSize, wider(y))),
    coefficients: ['p', 'q', 's'].map((row) => values(row, conv.outChannels)),
  };
}

/** The map in a buffer of this type, its values rounded to it. */
function storedAs(dtype: 'f32' | 'f16', map: ReturnType<typeof mapValues>): typeof map {
  if (dtype === 'f32') return map;
  const { view, dense, stored } = map;
  return {
    view: { ...view, buffer: buffer(view.buffer.length, dtype) },
    dense: dense.map(Math.f16round),
    stored: stored.map(Math.f16round),
  };
}

/** A slice of another width and offset, so that the two maps of a load are laid out differently. */
const wider = (slice: Slice | undefined): Slice | undefined =>
  slice === undefined ? undefined : [slice[0] + 3, slice[1] + 2];

interface Parts {
  readonly parts: number;
  readonly channels: number;
}

/** Chan's formula over the parts, in f64. */
function joined(partials: Values, { parts, channels }: Parts) {
  const at = (kind: number, part: number, c: number): number =>
    partials[(kind * parts + part) * channels + c] ?? Number.NaN;
  const over = (value: (part: number, c: number) => number): number[] =>
    Array.from({ length: channels }, (_, c) => {
      let sum = 0;
      for (let part = 0; part < parts; part++) sum += value(part, c);
      return sum;
    });
  const counts = over((part, c) => at(2, part, c));
  const means = over((part, c) => (at(2, part, c) * at(0, part, c)) / (counts[c] ?? 0));
  const squares = over(
    (part, c) => at(1, part, c) + at(2, part, c) * (at(0, part, c) - (means[c] ?? 0)) ** 2,
  );
  return { counts, means, squares };
}

function addedUp(partials: Values | undefined, shape: Parts | null, kind: number): number[] {
  const { parts, channels } = shape ?? { parts: 0, channels: 0 };
  return Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let part = 0; part < parts; part++) {
      sum += partials?.[(kind * parts + part) * channels + c] ?? Number.NaN;
    }
    return sum;
  });
}
