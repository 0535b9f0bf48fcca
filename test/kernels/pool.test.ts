import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import {
  avgPool,
  avgPoolGradient,
  maxPool,
  maxPoolGradient,
  type PoolShape,
} from '../../src/kernels/pool.ts';
import { testGpu } from '../support/device.ts';
import { normal, uniform } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

type Pair = [number, number];

const windowed = (
  planes: number,
  input: Pair,
  output: Pair,
  kernel: Pair,
  stride: Pair,
  padding: Pair,
  dilation: Pair = [1, 1],
): PoolShape => ({ planes, input, output, window: { kernel, stride, padding, dilation } });

const adaptive = (planes: number, input: Pair, output: Pair): PoolShape => ({
  planes,
  input,
  output,
  window: null,
});

const UNDILATED = [
  windowed(1, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
  windowed(6, [12, 10], [6, 5], [2, 2], [2, 2], [0, 0]),
  windowed(3, [15, 16], [8, 8], [3, 3], [2, 2], [1, 1]),
  // Ceil mode: the last window reaches over the edge.
  windowed(2, [8, 150], [4, 75], [3, 2], [2, 2], [0, 0]),
  windowed(2, [6, 9], [4, 5], [3, 3], [2, 2], [1, 1]),
  windowed(5, [7, 5], [7, 2], [3, 2], [1, 3], [1, 1]),
  // Gaps between windows.
  windowed(2, [11, 12], [3, 3], [2, 1], [4, 5], [0, 0]),
];
const DILATED = [
  windowed(3, [13, 14], [9, 5], [3, 2], [1, 2], [0, 1], [2, 5]),
  windowed(2, [9, 10], [5, 6], [3, 3], [2, 2], [1, 1], [1, 1]),
  windowed(2, [10, 10], [8, 8], [3, 3], [1, 1], [1, 1], [2, 2]),
  // Only taps outside: nothing to be the maximum of.
  windowed(1, [1, 3], [1, 3], [2, 1], [1, 1], [1, 0], [2, 1]),
];
const ADAPTIVE = [adaptive(3, [7, 9], [3, 4]), adaptive(2, [5, 4], [7, 4]), adaptive(4, [10, 13], [1, 2])];

interface Taps {
  /** Positions in the plane, in order. */
  readonly places: number[];
  /** Size with padding. */
  readonly padded: number;
}

function axis(
  { input, output, window }: PoolShape,
  at: 0 | 1,
  o: number,
): { taps: number[]; padded: number } {
  const size = input[at];
  if (window === null) {
    const start = Math.floor((o * size) / output[at]);
    const end = Math.ceil(((o + 1) * size) / output[at]);
    return { taps: Array.from({ length: end - start }, (_, i) => start + i), padded: end - start };
  }
  const start = o * window.stride[at] - window.padding[at];
  const all = Array.from({ length: window.kernel[at] }, (_, k) => start + k * window.dilation[at]);
  return {
    taps: all.filter((i) => i >= 0 && i < size),
    padded: all.filter((i) => i < size + window.padding[at]).length,
  };
}

/** The window of every output of a plane. */
function windowsOf(shape: PoolShape): Taps[] {
  const [height, width] = shape.output;
  return Array.from({ length: height * width }, (_, o) => {
    const y = axis(shape, 0, Math.floor(o / width));
    const x = axis(shape, 1, o % width);
    const places = y.taps.flatMap((iy) => x.taps.map((ix) => iy * shape.input[1] + ix));
    return { places, padded: y.padded * x.padded };
  });
}

const sizesOf = ({
  planes,
  input,
  output,
}: PoolShape): { inputs: number; outputs: number; plane: number } => ({
  inputs: planes * input[0] * input[1],
  outputs: planes * output[0] * output[1],
  plane: input[0] * input[1],
});

const nameOf = ({ planes, input, output }: PoolShape): string =>
  `${planes} [${input.join()}] -> [${output.join()}]`;

describe.each(VARIANTS)('pooling, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => gpu.destroy());

  it.each([...UNDILATED, ...DILATED, ...ADAPTIVE].map((shape) => ({ name: nameOf(shape), shape })))(
    'maximum, $name',
    async ({ shape }) => {
      const { inputs, outputs, plane } = sizesOf(shape);
      // Rounded, so that there are ties: the first of them counts. No -0, which is a tie with 0.
      const values = normal('max pool', inputs).map((v) => Math.round(v * 4) / 4 + 0);
      const gradient = uniform('max pool dy', outputs);
      const [x, dy, y, dx] = [buffer(inputs), buffer(outputs), buffer(outputs), buffer(inputs)];
      const [places, alone] = [buffer(outputs, 'i32'), buffer(outputs)];
      const context = contextOf(gpu, kind);
      const dispatches = [
        maxPool(context, x, y, places, shape),
        maxPool(context, x, alone, null, shape),
        maxPoolGradient(context, dy, places, dx, shape),
      ];
      const bindings = new Map([[x, values], [dy, gradient as Values]]); // prettier-ignore
      const results = await runDispatches(gpu, dispatches, bindings);

      const windows = windowsOf(shape);
      const expectedGradient = new Float64Array(inputs);
      const expectedPlaces: number[] = [];
      const expected = Array.from({ length: outputs }, (_, o) => {
        const base = Math.floor(o / windows.length) * plane;
        const taps = windows[o % windows.length]?.places ?? [];
        const largest = Math.max(...taps.map((i) => values[base + i] ?? Number.NaN));
        const place = taps.find((i) => values[base + i] === largest) ?? -1;
        expectedPlaces.push(place);
        if (place >= 0)
          expectedGradient[base + place] = (expectedGradient[base + place] ?? 0) + (gradient[o] ?? 0);
        return largest;
      });
      expect([...(results.get(y) ?? [])]).toEqual(expected);
      expect(results.get(alone)).toEqual(results.get(y));
      expect([...(results.get(places) ?? [])]).toEqual(expectedPlaces);
      expect(relativeError(results.get(dx), expectedGradient)).toBeLessThan(1e-6);
    },
  );

  it.each(
    [...UNDILATED, ...ADAPTIVE].flatMap((shape) =>
      [true, false].map((countPadding) => ({ name: nameOf(shape), shape, countPadding })),
    ),
  )('average, $name, padding counts: $countPadding', async ({ shape, countPadding }) => {
    const { inputs, outputs, plane } = sizesOf(shape);
    const values = normal('avg pool', inputs);
    const gradient = normal('avg pool dy', outputs);
    const [x, dy, y, dx] = [buffer(inputs), buffer(outputs), buffer(outputs), buffer(inputs)];
    const context = contextOf(gpu, kind);
    const dispatches = [
      avgPool(context, x, y, shape, countPadding),
      avgPoolGradient(context, dy, dx, shape, countPadding),
    ];
    const bindings = new Map([[x, values as Values], [dy, gradient as Values]]); // prettier-ignore
    const results = await runDispatches(gpu, dispatches, bindings);

    const windows = windowsOf(shape);
    const expectedGradient = new Float64Array(inputs);
    const expected = Float64Array.from({ length: outputs }, (_, o) => {
      const base = Math.floor(o / windows.length) * plane;
      const { places, padded } = windows[o % windows.length] ?? { places: [], padded: 1 };
      const divisor = countPadding ? padded : places.length;
      for (const i of places) {
        expectedGradient[base + i] = (expectedGradient[base + i] ?? 0) + (gradient[o] ?? 0) / divisor;
      }
      return places.reduce((sum, i) => sum + (values[base + i] ?? 0), 0) / divisor;
    });
    expect(relativeError(results.get(y), expected)).toBeLessThan(1e-6);
    expect(relativeError(results.get(dx), expectedGradient)).toBeLessThan(1e-6);
  });

  it('takes a NaN for the maximum and -infinity where it is alone', async () => {
    const shape = windowed(1, [1, 6], [1, 3], [1, 2], [1, 2], [0, 0]);
    const values = new Float32Array([
      2,
      Number.NaN,
      Number.NaN,
      7,
      Number.NEGATIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    const [x, y, places] = [buffer(6), buffer(3), buffer(3, 'i32')];
    const dispatch = maxPool(contextOf(gpu, kind), x, y, places, shape);
    const results = await runDispatches(gpu, [dispatch], new Map([[x, values]]));
    expect([...(results.get(y) ?? [])]).toEqual([Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY]);
    expect([...(results.get(places) ?? [])]).toEqual([1, 2, 4]);
  });
});
