import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BufferRef, Dispatch } from '../../src/gpu/dispatch.ts';
import { bytesOf } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { PROFILES } from '../../src/gpu/profile.ts';
import { convBackwardData, convForward } from '../../src/kernels/conv.ts';
import { methodOf, winogradFits } from '../../src/kernels/conv_choice.ts';
import type { ConvChoice } from '../../src/kernels/conv_choice.ts';
import { copy } from '../../src/kernels/elementwise.ts';
import { storeHalves } from '../../src/kernels/half.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { FULL } from '../support/scale.ts';
import { contextOf, relativeError } from './compare.ts';
import { convReference, extentOf, wLength, xLength, yLength, type Sizes } from './conv_reference.ts';
import { buffer, runDispatches, type Values } from './run.ts';

/*
 * Winograd's F(2x2, 3x3) beside the direct kernel, both against f64. Its fused forms are variants in fused_conv.test.ts.
 */

const METHODS = ['winograd', 'winogradFused'] as const;
const P1 = { p: [1, 1] } as const satisfies Sizes[4];

/** Channels of FCNN and of DenseNet161. */
const NETS: Record<string, Sizes> = {
  'a growth of DenseNet161': [1, [192, 48], [7, 7], [3, 3], P1],
  'block 1 of FCNN': [1, [144, 144], [6, 5], [3, 3], P1],
  ...(FULL && {
    'block 2 of FCNN': [1, [144, 288], [8, 10], [3, 3], P1],
    'block 3 of FCNN': [1, [576, 576], [8, 2], [3, 3], P1],
  }),
};

const EDGES: Record<string, Sizes> = {
  'a row of 13 pixels': [3, [4, 6], [1, 13], [3, 3], P1],
  'one column': [2, [3, 17], [9, 1], [3, 3], P1],
  'one pixel': [1, [1, 1], [1, 1], [3, 3], P1],
  'one output': [2, [5, 3], [3, 3], [3, 3]],
  'padding 2': [2, [3, 4], [5, 6], [3, 3], { p: [2, 2] }],
  'padding 0 and 3': [1, [6, 5], [7, 2], [3, 3], { p: [0, 3] }],
};

const TOLERANCE = 2e-6;

function valuesOf(name: string, sizes: Sizes) {
  const conv = extentOf(sizes);
  const values = (what: string, length: number): Float32Array<ArrayBuffer> =>
    new Float32Array(normal(`${name} ${what}`, length));
  const refs = {
    x: buffer(xLength(conv)),
    w: buffer(wLength(conv)),
    bias: buffer(conv.outChannels),
    dy: buffer(yLength(conv)),
    y: buffer(yLength(conv)),
    dx: buffer(xLength(conv)),
  };
  const x = values('x', refs.x.length);
  const w = values('w', refs.w.length);
  const bias = values('bias', refs.bias.length);
  const dy = values('dy', refs.dy.length);
  const forward = new Map<BufferRef, Values>([
    [refs.x, x],
    [refs.w, w],
    [refs.bias, bias],
  ]);
  return { conv, refs, x, w, bias, dy, forward };
}

// Sizes as uniforms: compiled in, every case would have pipelines of its own.
describe.each(['cpu', 'gpu'] as const)("Winograd's convolution, %s kernels", (kind) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams: false });
  });
  afterAll(() => {
    gpu.destroy();
  });

  const methods = kind === 'cpu' ? METHODS : (['winograd'] as const);

  /** Relative errors of y and dx. */
  async function errorsOf(given: ReturnType<typeof valuesOf>, choice: Partial<ConvChoice>) {
    const { conv, refs, x, w, bias, dy, forward } = given;
    const context = contextOf(gpu, kind);
    const dispatches: Dispatch[] = [
      ...convForward(context, conv, refs.x, refs.w, refs.bias, refs.y, choice),
      ...convBackwardData(context, conv, refs.dy, refs.w, refs.dx, choice),
    ];
    const results = await runDispatches(gpu, dispatches, new Map([...forward, [refs.dy, dy]]));
    const expected = convReference(conv, x, w, bias, dy);
    return {
      y: relativeError(results.get(refs.y), expected.y),
      dx: relativeError(results.get(refs.dx), expected.dx),
    };
  }

  it.each(Object.entries(NETS))(
    '%s: errors are at most twice those of the direct sum',
    async (name, sizes) => {
      const given = valuesOf(name, sizes);
      const direct = await errorsOf(given, { method: 'direct' });
      for (const method of methods) {
        const errors = await errorsOf(given, { method });
        for (const what of ['y', 'dx'] as const) {
          const [own, other] = [errors[what], direct[what]];
          console.log(
            `${name}, ${kind}, ${method}: error of ${what} ${own.toExponential(1)}, direct ${other.toExponential(1)}`,
          );
          expect(own, what).toBeLessThan(2 * other);
        }
      }
    },
  );

  const edges = Object.entries(EDGES).filter((_, i) => FULL || kind === 'cpu' || i < 2);
  it.each(edges)('%s equals the sums in f64', async (name, sizes) => {
    for (const method of methods) {
      const { y, dx } = await errorsOf(valuesOf(name, sizes), { method });
      expect(y, `y by ${method}`).toBeLessThan(TOLERANCE);
      expect(dx, `dx by ${method}`).toBeLessThan(TOLERANCE);
    }
  });

  it('gives the same bits in rounds, in less memory', async () => {
    const given = valuesOf('rounds', [3, [5, 6], [25, 14], [3, 3], P1]);
    const { conv, refs, forward } = given;
    const run = async (workspace: number) => {
      let bytes = 0;
      const context = {
        ...contextOf(gpu, kind),
        temporary: (length: number) => {
          const made = buffer(length);
          bytes += bytesOf(made);
          return made;
        },
      };
      const choice = { method: 'winograd', workspace } as const;
      const dispatches = convForward(context, conv, refs.x, refs.w, refs.bias, refs.y, choice);
      const y = (await runDispatches(gpu, dispatches, forward)).get(refs.y);
      return { y, bytes, count: dispatches.length };
    };
    const [whole, rounds] = [await run(2 ** 26), await run(1)];
    expect(whole.count).toBe(4);
    expect(rounds.count).toBe(1 + 3 * 3);
    expect(rounds.bytes).toBeLessThan(0.6 * whole.bytes);
    expect(rounds.y).toEqual(whole.y);
  });

  it.each(methods)(
    '%s: a NaN comes out, an infinity as one or NaN, in the tiles that they touch alone',
    async (method) => {
      const { conv, refs, x, w, bias, dy, forward } = valuesOf('spoiled', [2, [3, 4], [9, 8], [3, 3], P1]);
      // In the image 0, channel 1 at (4, 4); in image 1, channel 2 at (2, 5).
      x[(1 * 9 + 4) * 8 + 4] = Number.NaN;
      x[((3 + 2) * 9 + 2) * 8 + 5] = Number.POSITIVE_INFINITY;
      const context = contextOf(gpu, kind);
      const dispatches = convForward(context, conv, refs.x, refs.w, refs.bias, refs.y, { method });
      const y = (await runDispatches(gpu, dispatches, forward)).get(refs.y) ?? new Float32Array();
      const expected = convReference(conv, x, w, bias, dy).y;
      const wrong = Array.from(expected).flatMap((want, i) => {
        const got = y[i] ?? 0;
        const pixel = i % 72;
        const image = Math.floor(i / (4 * 72));
        const [oy, ox] = [Math.floor(pixel / 8), pixel % 8];
        const [py, px] = image === 0 ? [4, 4] : [2, 5];
        const [top, left] = [2 * Math.floor(oy / 2) - 1, 2 * Math.floor(ox / 2) - 1];
        const touched = py >= top && py < top + 4 && px >= left && px < left + 4;
        if (Number.isNaN(want) && !Number.isNaN(got)) return [`${i} is ${got} instead of NaN`];
        if (!Number.isFinite(want) && Number.isFinite(got)) return [`${i} is ${got} instead of ${want}`];
        return touched || Math.abs(got - want) < 1e-4 ? [] : [`${i} is ${got} instead of ${want}`];
      });
      expect(wrong).toEqual([]);
      expect(Array.from(expected).filter((value) => !Number.isFinite(value))).toHaveLength(2 * 4 * 9);
    },
  );

  it.each(methods)('%s: maps and weights stored as f16 are read and written', async (method) => {
    if (!gpu.geometry.f16) return;
    const { conv, w, x, bias, dy } = valuesOf('halves', [2, [6, 5], [5, 7], [3, 3], P1]);
    const half = (values: Values) => Float32Array.from(values, Math.f16round);
    const given = { x: half(x), w: half(w) };
    const refs = { x: buffer(x.length, 'f16'), w: buffer(w.length, 'f16'), y: buffer(dy.length, 'f16') };
    const wide = { x: buffer(x.length), w: buffer(w.length), y: buffer(dy.length) };
    const context = contextOf(gpu, kind);
    const dispatches = [
      copy(gpu.geometry, wide.x, refs.x),
      copy(gpu.geometry, wide.w, refs.w),
      ...convForward(context, conv, refs.x, refs.w, null, refs.y, { method }),
      copy(gpu.geometry, refs.y, wide.y),
    ].map(storeHalves);
    const results = await runDispatches(
      gpu,
      dispatches,
      new Map<BufferRef, Values>([
        [wide.x, given.x],
        [wide.w, given.w],
      ]),
    );
    const expected = convReference(conv, given.x, given.w, bias.fill(0), dy).y;
    // Half a unit in the last of 11 bits, and f32's own error.
    const wrong = expected.filter(
      (want, i) => Math.abs((results.get(wide.y)?.[i] ?? NaN) - want) > 2 ** -11 * Math.abs(want) + 1e-5,
    );
    expect(Array.from(wrong)).toEqual([]);
  });
});

describe('the choice of a method', () => {
  const geometry = PROFILES.lavapipe;
  const fits = (...sizes: Sizes) => winogradFits(geometry, extentOf(sizes));

  it('takes 3x3 kernels of stride 1 whose transformed weights fit into a binding', () => {
    expect(fits(1, [8, 8], [5, 5], [3, 3])).toBe(true);
    expect(fits(1, [8, 8], [5, 5], [3, 3], { s: [1, 2] })).toBe(false);
    expect(fits(1, [8, 8], [5, 5], [3, 3], { d: [2, 1] })).toBe(false);
    expect(fits(1, [8, 8], [5, 5], [3, 3], { g: 2 })).toBe(false);
    expect(fits(1, [8, 8], [5, 5], [3, 1])).toBe(false);
    expect(fits(1, [2048, 1024], [5, 5], [3, 3])).toBe(true);
    expect(fits(1, [2048, 1025], [5, 5], [3, 3])).toBe(false);
  });

  it('says what does not fit', () => {
    const conv = extentOf([1, [8, 8], [5, 5], [3, 3], { s: [2, 2] }]);
    expect(methodOf(geometry, conv, 'forward')).toBe('direct');
    expect(() => methodOf(geometry, conv, 'data', { method: 'winograd' })).toThrow(/stride 2x2/);
  });

  const choices: [keyof typeof PROFILES, Sizes, ConvChoice['method']][] = [
    ['lavapipe', [2, [144, 144], [64, 20], [3, 3], P1], 'winograd'],
    ['lavapipe', [2, [192, 48], [56, 56], [3, 3], P1], 'direct'],
    ['swiftshader', [2, [192, 48], [56, 56], [3, 3], P1], 'winograd'],
    ['lavapipe', [2, [576, 576], [8, 2], [3, 3], P1], 'direct'],
    ['lavapipe', [8, [192, 48], [7, 7], [3, 3], P1], 'direct'],
    ['lavapipe', [2, [24, 24], [56, 56], [3, 3], P1], 'direct'],
    ['h100', [64, [576, 576], [64, 20], [3, 3], P1], 'direct'],
  ];

  it.each(choices)('on %s is for %j: %s', (profile, sizes, method) => {
    for (const direction of ['forward', 'data'] as const) {
      expect(methodOf(PROFILES[profile], extentOf(sizes), direction)).toBe(method);
    }
  });
});
