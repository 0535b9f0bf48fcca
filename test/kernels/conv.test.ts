import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { convBackwardData, convBackwardWeight, convForward } from '../../src/kernels/conv.ts';
import type { ConvChoice } from '../../src/kernels/conv_choice.ts';
import { hasSubgroupsOfEight, testGpu } from '../support/device.ts';
import { relativeError } from './compare.ts';
import { convReference, extentOf, wLength, xLength, yLength } from './conv_reference.ts';
import type { Sizes } from './conv_reference.ts';
import { normalOf, skipWithout } from './halves.ts';
import { buffer, runDispatches, testContext } from './run.ts';
import { FULL } from '../support/scale.ts';

const CASES: Record<string, Sizes> = {
  '1x1': [2, [12, 20], [7, 5], [1, 1]],
  '1x1 of even sizes': [4, [16, 64], [8, 8], [1, 1]],
  '1x1 in quads, grouped': [3, [10, 26], [6, 2], [1, 1], { g: 2 }],
  '1x1 stride 2': [3, [5, 9], [7, 8], [1, 1], { s: [2, 2] }],
  '1x1 padded': [1, [3, 4], [5, 5], [1, 1], { p: [1, 2] }],
  '3x3 same': [2, [19, 33], [9, 6], [3, 3], { p: [1, 1] }],
  '3x3 same of even sizes': [2, [16, 16], [16, 20], [3, 3], { p: [1, 1] }],
  '3x3 of many rows': [1, [6, 150], [5, 5], [3, 3], { p: [1, 1] }],
  '3x3 valid': [2, [8, 8], [8, 6], [3, 3]],
  '3x3 stride 2': [2, [7, 5], [9, 10], [3, 3], { s: [2, 2], p: [1, 1] }],
  '3x3 dilated': [2, [4, 6], [11, 9], [3, 3], { p: [2, 2], d: [2, 2] }],
  '7x7 stem': [2, [3, 16], [20, 22], [7, 7], { s: [2, 2], p: [3, 3] }],
  '5x5 stride 2 of 6 channels': [1, [6, 24], [16, 9], [5, 5], { s: [2, 2], p: [2, 2] }],
  '3x5 uneven in everything': [2, [3, 5], [13, 17], [3, 5], { s: [3, 2], p: [2, 1], d: [1, 3] }],
  'size 1': [1, [1, 1], [1, 1], [1, 1]],
  'kernel as large as the input': [3, [2, 3], [4, 5], [4, 5]],
  grouped: [2, [12, 18], [6, 7], [3, 3], { p: [1, 1], g: 3 }],
  depthwise: [2, [10, 10], [6, 7], [3, 3], { p: [1, 1], g: 10, s: [1, 2] }],
  'stride beyond the kernel': [1, [2, 2], [10, 11], [2, 2], { s: [3, 4] }],
};

/** f32 sums of some hundred products; PyTorch's own are no closer. */
const TOLERANCE = 2e-6;

interface Variant {
  readonly choice: Partial<ConvChoice>;
  /** Names of the cases to run, all by default. */
  readonly cases?: readonly string[];
  /** Compile sizes into the shaders, as on GPUs: every case then has pipelines of its own. */
  readonly bakeParams?: boolean;
  /** Of x, weight and dy as they are stored; f32 by default. */
  readonly dtype?: 'f32' | 'f16';
}

/** Edges of every kind, and none: each variant is compiled once and a second time. */
const UNEVEN = ['3x3 of many rows', '3x5 uneven in everything', '7x7 stem', 'size 1', 'grouped'];
const EVEN = ['3x3 same of even sizes', '1x1 in quads, grouped', '1x1 stride 2', 'depthwise'];

const VARIANTS: Record<string, Variant> = {
  'chosen for the adapter': { choice: {} },
  'registers 8': { choice: { tile: 'registers8' }, ...(!FULL && { cases: [...UNEVEN, ...EVEN] }) },
  'registers 4, short chunks, 3 splits': {
    choice: { tile: 'registers4', chunk: 8, splits: 3 },
    ...(!FULL && { cases: UNEVEN }),
  },
  ...((await hasSubgroupsOfEight()) && {
    'subgroups 48, short chunks, 3 splits': {
      choice: { tile: 'subgroups48', chunk: 8, splits: 3 },
      ...(!FULL && { cases: UNEVEN }),
    },
    'subgroups 16': { choice: { tile: 'subgroups16' }, ...(!FULL && { cases: EVEN }) },
  }),
  'tiled 128 x 128': { choice: { tile: 'tiled128x128', flat: false }, cases: UNEVEN },
  'tiled 96 x 128 flat': { choice: { tile: 'tiled96x128', flat: true, chunk: 16 }, cases: UNEVEN },
  'tiled 64 x 128, 2 splits': {
    choice: { tile: 'tiled64x128', flat: false, chunk: 8, splits: 2 },
    cases: EVEN,
  },
  'tiled 48 x 128, 3 splits': {
    choice: { tile: 'tiled48x128', flat: false, splits: 3 },
    cases: ['3x3 same of even sizes', 'depthwise'],
  },
  'tiled 64 x 64 flat, 5 splits': { choice: { tile: 'tiled64x64', flat: true, splits: 5 }, cases: UNEVEN },
  'tiled 48 x 64': { choice: { tile: 'tiled48x64', flat: false }, cases: [...UNEVEN, ...EVEN] },
  'tiled 48 x 64, sizes compiled in': {
    choice: { tile: 'tiled48x64' },
    cases: ['3x3 same of even sizes', '3x5 uneven in everything'],
    bakeParams: true,
  },
  Winograd: { choice: { method: 'winograd' }, cases: ['3x3 same of even sizes', '3x3 valid'] },
  'Winograd fused': { choice: { method: 'winogradFused' }, cases: ['3x3 same', '3x3 of many rows'] },
  'f16, registers 8': { choice: { tile: 'registers8' }, cases: ['7x7 stem', 'grouped'], dtype: 'f16' },
  'f16, tiled 48 x 64': { choice: { tile: 'tiled48x64' }, cases: ['7x7 stem', 'grouped'], dtype: 'f16' },
  'f16, matrix 64 x 64': {
    choice: { tile: 'matrix64x64', flat: false, chunk: 16 },
    cases: FULL ? Object.keys(CASES) : [...UNEVEN, ...EVEN],
    dtype: 'f16',
  },
  'f16, matrix 96 x 128 flat, 2 splits': {
    choice: { tile: 'matrix96x128', flat: true, splits: 2 },
    cases: FULL ? Object.keys(CASES) : UNEVEN,
    dtype: 'f16',
  },
  'f16, matrix 128 x 128, sizes compiled in': {
    choice: { tile: 'matrix128x128' },
    cases: ['3x3 same of even sizes', '3x5 uneven in everything'],
    bakeParams: true,
    dtype: 'f16',
  },
};

describe.each(Object.entries(VARIANTS))(
  'conv2d, %s',
  (title, { choice, cases = Object.keys(CASES), bakeParams = false, dtype = 'f32' }) => {
    let gpu: Gpu;
    let worst = 0;
    beforeAll(async () => {
      gpu = await testGpu({ bakeParams });
    });
    afterAll(() => {
      console.log(`conv2d, ${title}: largest relative error ${worst.toExponential(1)}`);
      gpu.destroy();
    });

    it.for(Object.entries(CASES).filter(([name]) => cases.includes(name)))(
      '%s equals the sums in f64',
      async ([name, sizes], { skip }) => {
        skipWithout(gpu, skip, dtype, choice);
        const conv = extentOf(sizes);
        const values = (what: string, length: number): Float32Array<ArrayBuffer> =>
          normalOf(dtype, `${name} ${what}`, length);
        const x = values('x', xLength(conv));
        const w = values('w', wLength(conv));
        const bias = values('bias', conv.outChannels);
        const dy = values('dy', yLength(conv));
        const expected = convReference(conv, x, w, bias, dy);
        const refs = {
          x: buffer(x.length, dtype),
          w: buffer(w.length, dtype),
          bias: buffer(bias.length),
          dy: buffer(dy.length, dtype),
          y: buffer(dy.length),
          plain: buffer(dy.length),
          dx: buffer(x.length),
          dw: buffer(w.length),
        };
        const context = testContext(gpu);
        const results = await runDispatches(
          gpu,
          [
            ...convForward(context, conv, refs.x, refs.w, refs.bias, refs.y, choice),
            ...convForward(context, conv, refs.x, refs.w, null, refs.plain, choice),
            ...convBackwardData(context, conv, refs.dy, refs.w, refs.dx, choice),
            ...convBackwardWeight(context, conv, refs.dy, refs.x, refs.dw, choice),
          ],
          new Map([
            [refs.x, x],
            [refs.w, w],
            [refs.bias, bias],
            [refs.dy, dy],
          ]),
        );
        const plain = expected.y.map(
          (value, i) =>
            value - (bias[Math.floor(i / (conv.output.y * conv.output.x)) % conv.outChannels] ?? 0),
        );
        const errors = {
          y: relativeError(results.get(refs.y), expected.y),
          plain: relativeError(results.get(refs.plain), plain),
          dx: relativeError(results.get(refs.dx), expected.dx),
          dw: relativeError(results.get(refs.dw), expected.dw),
        };
        worst = Math.max(worst, ...Object.values(errors));
        for (const [what, error] of Object.entries(errors)) expect(error, what).toBeLessThan(TOLERANCE);
      },
    );
  },
);
