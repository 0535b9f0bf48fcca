import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { PROFILES, TRAITS } from '../../src/gpu/profile.ts';
import { chooseGemm, segmentsOf } from '../../src/kernels/gemm_choice.ts';
import type { GemmChoice } from '../../src/kernels/gemm_choice.ts';
import { matmulKernel, mergeBatch } from '../../src/kernels/matmul.ts';
import type { MatmulExtent } from '../../src/kernels/matmul.ts';
import { hasSubgroupsOfEight, testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { relativeError } from './compare.ts';
import { normalOf, skipWithout } from './halves.ts';
import { buffer, runDispatches, testContext } from './run.ts';

/** Sizes [rows, inner, columns], and leading dimensions as [size, A has it, B has it]. */
interface Case {
  readonly sizes: readonly [number, number, number];
  readonly batch?: readonly (readonly [number, boolean, boolean])[];
}

const CASES: Record<string, Case> = {
  'one product': { sizes: [1, 1, 1] },
  'a long sum': { sizes: [3, 5000, 2] },
  'whole tiles': { sizes: [128, 32, 64] },
  'one more than tiles': { sizes: [129, 33, 65] },
  'a row': { sizes: [1, 70, 130] },
  'a column': { sizes: [70, 9, 1] },
  'a batch': { sizes: [9, 7, 11], batch: [[5, true, true]] },
  'broadcast on both sides': {
    sizes: [6, 10, 5],
    batch: [
      [2, true, false],
      [3, false, true],
      [2, true, true],
      [4, false, true],
    ],
  },
};

/** By default all cases, each with both operands transposed and not. */
interface Variant {
  readonly choice: Partial<GemmChoice>;
  readonly cases?: readonly string[];
  /** Of both operands as they are stored; f32 by default. */
  readonly dtype?: 'f32' | 'f16';
}

const HALF = ['a long sum', 'one more than tiles', 'a batch'];

const VARIANTS: Record<string, Variant> = {
  'chosen for the adapter': { choice: {} },
  'registers 8': { choice: { tile: 'registers8' } },
  'registers 4, 3 splits': { choice: { tile: 'registers4', chunk: 4, splits: 3 } },
  ...((await hasSubgroupsOfEight()) && {
    'subgroups 48, 3 splits': { choice: { tile: 'subgroups48', chunk: 4, splits: 3 } },
    'subgroups 24': { choice: { tile: 'subgroups24' }, cases: ['one more than tiles', 'a batch'] },
  }),
  // The larger a tile, the longer software adapters compile it.
  'tiled 128 x 128': { choice: { tile: 'tiled128x128' }, cases: ['one more than tiles', 'a batch'] },
  'tiled 48 x 64, 2 splits': { choice: { tile: 'tiled48x64', chunk: 16, splits: 2 } },
  'f16, registers 8': { choice: { tile: 'registers8' }, dtype: 'f16', cases: HALF },
  'f16, tiled 48 x 64': { choice: { tile: 'tiled48x64' }, dtype: 'f16', cases: HALF },
  'f16, matrix 64 x 64': { choice: { tile: 'matrix64x64' }, dtype: 'f16' },
  'f16, matrix 48 x 128, 2 splits': {
    choice: { tile: 'matrix48x128', chunk: 16, splits: 2 },
    dtype: 'f16',
    cases: HALF,
  },
};

/** f32 sums of up to 5000 products; PyTorch's own are no closer. */
const TOLERANCE = 2e-6;

describe.each(Object.entries(VARIANTS))(
  'matmul, %s',
  (title, { choice, cases = Object.keys(CASES), dtype = 'f32' }) => {
    let gpu: Gpu;
    let worst = 0;
    beforeAll(async () => {
      gpu = await testGpu();
    });
    afterAll(() => {
      console.log(`matmul, ${title}: largest relative error ${worst.toExponential(1)}`);
      gpu.destroy();
    });

    const layouts = [false, true].flatMap((a) => [false, true].map((b) => [a, b] as const));
    it.for(
      Object.entries(CASES)
        .filter(([name]) => cases.includes(name))
        .flatMap(([name, one]) => layouts.map(([a, b]) => [name, a, b, one] as const)),
    )('%s, transposed %s and %s', async ([name, transposeA, transposeB, { sizes, batch = [] }], { skip }) => {
      skipWithout(gpu, skip, dtype, choice);
      const [rows, inner, columns] = sizes;
      const strides = (
        item: number,
        has: (dim: readonly [number, boolean, boolean]) => boolean,
      ): number[] => {
        let stride = item;
        return batch
          .toReversed()
          .map((dim) => {
            if (!has(dim)) return 0;
            stride *= dim[0];
            return stride / dim[0];
          })
          .toReversed();
      };
      const aStrides = strides(rows * inner, ([, inA]) => inA);
      const bStrides = strides(inner * columns, ([, , inB]) => inB);
      const dims = batch.map(([size], i) => ({ size, aStride: aStrides[i] ?? 0, bStride: bStrides[i] ?? 0 }));
      const extent = { batch: dims, rows, columns, inner, transposeA, transposeB };
      const lengthOf = (item: number, side: 1 | 2): number =>
        batch.reduce((product, dim) => (dim[side] ? product * dim[0] : product), item);
      const a = normalOf(dtype, `${name} a`, lengthOf(rows * inner, 1));
      const b = normalOf(dtype, `${name} b`, lengthOf(inner * columns, 2));
      const bias = new Float32Array(normal(`${name} bias`, columns));
      const groups = batch.reduce((product, [size]) => product * size, 1);
      const refs = { a: buffer(a.length, dtype), b: buffer(b.length, dtype), bias: buffer(columns) };
      const [plain, biased] = [buffer(groups * rows * columns), buffer(groups * rows * columns)];
      const context = testContext(gpu);
      const results = await runDispatches(
        gpu,
        [
          ...matmulKernel(context, extent, refs.a, refs.b, null, plain, choice),
          ...matmulKernel(context, extent, refs.a, refs.b, refs.bias, biased, choice),
        ],
        new Map([
          [refs.a, a],
          [refs.b, b],
          [refs.bias, bias],
        ]),
      );
      const expected = reference(extent, a, b);
      const errors = [
        relativeError(results.get(plain), expected),
        relativeError(
          results.get(biased),
          expected.map((value, i) => value + (bias[i % columns] ?? 0)),
        ),
      ];
      worst = Math.max(worst, ...errors);
      for (const error of errors) expect(error).toBeLessThan(TOLERANCE);
    });

    it.for(layouts)(
      'NaN and infinities stay in their rows and columns, transposed %s and %s',
      async ([transposeA, transposeB], { skip }) => {
        skipWithout(gpu, skip, dtype, choice);
        const [rows, inner, columns] = [67, 33, 65];
        const extent = { batch: [], rows, columns, inner, transposeA, transposeB };
        const a = normalOf(dtype, 'special a', rows * inner);
        const b = normalOf(dtype, 'special b', inner * columns);
        const inA = (row: number, k: number): number => (transposeA ? k * rows + row : row * inner + k);
        const inB = (k: number, column: number): number =>
          transposeB ? column * inner + k : k * columns + column;
        // Of the last elements too, beside which padded tiles hold zeros.
        a[inA(2, 5)] = NaN;
        a[inA(40, 0)] = Infinity;
        a[inA(66, 32)] = -Infinity;
        b[inB(32, 64)] = Infinity;
        b[inB(7, 30)] = NaN;
        const refs = { a: buffer(a.length, dtype), b: buffer(b.length, dtype), c: buffer(rows * columns) };
        const results = await runDispatches(
          gpu,
          matmulKernel(testContext(gpu), extent, refs.a, refs.b, null, refs.c, choice),
          new Map([
            [refs.a, a],
            [refs.b, b],
          ]),
        );
        const expected = reference(extent, a, b);
        const got = results.get(refs.c) ?? new Float32Array();
        const near = (value: number | undefined, want: number): boolean =>
          Object.is(value, want) || Math.abs((value ?? NaN) - want) < 1e-5 * Math.max(1, Math.abs(want));
        const wrong = Array.from(expected).flatMap((want, i) =>
          near(got[i], want)
            ? []
            : [`C[${Math.floor(i / columns)}, ${i % columns}] is ${got[i]}, not ${want}`],
        );
        expect(wrong, wrong.slice(0, 10).join('\n')).toEqual([]);
        expect(expected.filter(Number.isNaN).length).toBeGreaterThan(columns);
        expect(expected.filter((value) => Math.abs(value) === Infinity).length).toBeGreaterThan(columns);
      },
    );
  },
);

/** The products by definition, in f64. */
function reference(extent: MatmulExtent, a: Float32Array, b: Float32Array): Float64Array {
  const { batch, rows, columns, inner, transposeA, transposeB } = extent;
  let starts = [[0, 0]];
  for (const { size, aStride, bStride } of batch) {
    starts = starts.flatMap(([i = 0, j = 0]) =>
      Array.from({ length: size }, (_, at) => [i + at * aStride, j + at * bStride]),
    );
  }
  const c = new Float64Array(starts.length * rows * columns);
  starts.forEach(([i = 0, j = 0], group) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const left = a[i + (transposeA ? k * rows + row : row * inner + k)] ?? 0;
          sum += left * (b[j + (transposeB ? column * inner + k : k * columns + column)] ?? 0);
        }
        c[(group * rows + row) * columns + column] = sum;
      }
    }
  });
  return c;
}

describe('leading dimensions', () => {
  it('merge where both operands walk on evenly', () => {
    const whole = { size: 3, aStride: 40, bStride: 20 };
    expect(mergeBatch([{ size: 2, aStride: 120, bStride: 60 }, whole])).toEqual([{ ...whole, size: 6 }]);
    expect(
      mergeBatch([
        { size: 2, aStride: 0, bStride: 0 },
        { ...whole, size: 1 },
      ]),
    ).toHaveLength(1);
    expect(mergeBatch([{ size: 2, aStride: 0, bStride: 60 }, whole])).toHaveLength(2);
  });

  it('are refused where they alternate more than four times', async () => {
    const gpu = await testGpu();
    const batch = [0, 1, 0, 1, 0].map((a) => ({ size: 2, aStride: a, bStride: 1 - a }));
    const extent = { batch, rows: 1, columns: 1, inner: 1, transposeA: false, transposeB: false };
    const call = (): unknown =>
      matmulKernel(testContext(gpu), extent, buffer(32), buffer(32), null, buffer(32));
    expect(call).toThrow('[2, 2, 2, 2, 2]');
    gpu.destroy();
  });
});

describe('the choice of a geometry', () => {
  const geometry = PROFILES.h100;
  const extent = (groups: number, rows: number, columns: number, outer: [number, number], inner: number) => ({
    groups,
    rows,
    columns,
    outer,
    inner,
    c: { length: groups * rows * columns },
    a: { dtype: 'f32' as const },
    b: { dtype: 'f32' as const },
  });

  it('splits a long sum of few tiles, and none that fills the device', () => {
    expect(chooseGemm(geometry, extent(1, 48, 1728, [4, 16], 56)).splits).toBeGreaterThan(4);
    expect(chooseGemm(geometry, extent(1, 1024, 65536, [1, 1], 1024)).splits).toBe(1);
  });

  it.each([
    ['the largest where its rows are used and there are many', 1024, 65536, 'tiled128x128'],
    ['rows by 96', 192, 65536, 'tiled96x128'],
    ['rows by 48', 48, 65536, 'tiled48x128'],
    ['a smaller one for few columns', 192, 3136, 'tiled48x128'],
    ['the smallest for hardly any work', 48, 3136, 'tiled48x64'],
  ])('takes %s', (_, rows, columns, tile) => {
    expect(chooseGemm(geometry, extent(1, rows, columns, [1, 1], 64), { splits: 1 }).tile).toBe(tile);
  });

  it('takes matrices for operands of their type alone, and refuses them for others', () => {
    const half = { dtype: 'f16' } as const;
    const sums = extent(1, 4096, 4096, [1, 1], 4096);
    expect(chooseGemm(geometry, { ...sums, a: half, b: half }).tile).toBe('matrix128x128');
    expect(chooseGemm(geometry, sums).tile).toBe('tiled128x128');
    expect(chooseGemm(geometry, { ...sums, a: half }).tile).toBe('tiled128x128');
    expect(chooseGemm(PROFILES.lavapipe, { ...sums, a: half, b: half }).tile).toBe('subgroups48');
    expect(() => chooseGemm(geometry, sums, { tile: 'matrix64x64' })).toThrow(
      'tile matrix64x64 has no subgroup matrices for A in f32 and B in f32',
    );
    const varying = { ...geometry, subgroups: { min: 8, max: 32 } };
    expect(chooseGemm(varying, { ...sums, a: half, b: half }).tile).toBe('tiled128x128');
  });

  it('keeps partial results below what a binding can span', () => {
    const small = { ...geometry, maxBindingBytes: 2 ** 20 };
    const { splits } = chooseGemm(small, extent(1, 128, 512, [1, 1], 2 ** 20));
    expect(splits).toBe(4);
  });

  it.each(['gpu', 'cpu'] as const)('gives every split of every sum some of it (%s)', (kind) => {
    for (let splits = 1; splits < 40; splits++) {
      for (const sums of [
        extent(1, 9, 9, [7, 1], 50),
        extent(1, 9, 9, [1, 1], 1000),
        extent(1, 9, 9, [30, 10], 3),
      ]) {
        const choice = chooseGemm({ ...geometry, ...TRAITS[kind] }, sums, { splits });
        const segments = segmentsOf(sums, choice);
        const each = Math.ceil(segments / choice.splits);
        expect(each * (choice.splits - 1)).toBeLessThan(segments);
      }
    }
  });
});
