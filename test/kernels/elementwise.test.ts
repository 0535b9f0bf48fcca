import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dispatch } from '../../src/gpu/dispatch.ts';
import type { AdapterProfile } from '../../src/gpu/profile.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { binary, type Arithmetic, type Comparison } from '../../src/kernels/binary.ts';
import {
  accumulate,
  copy,
  fill,
  unary,
  unaryBackward,
  where,
  type UnaryBackwardFunction,
  type UnaryFunction,
} from '../../src/kernels/elementwise.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

const LENGTHS = [1, 7, 64, 1024];

interface Reference {
  readonly f: (x: number) => number;
  /** f' by x. */
  readonly slope?: (x: number) => number;
  readonly saves?: 'x' | 'y';
  readonly p?: number;
  readonly q?: number;
  /** Keeps the arguments where f is defined. */
  readonly positive?: boolean;
  /** Without noise near 0 at this scale, arguments far from 0. */
  readonly scale?: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const UNARY: Record<UnaryFunction, Reference> = {
  relu: { f: (x) => Math.max(x, 0), slope: (x) => Number(x > 0), saves: 'y' },
  leaky_relu: { f: (x) => (x > 0 ? x : 0.1 * x), slope: (x) => (x > 0 ? 1 : 0.1), saves: 'x', p: 0.1 },
  sigmoid: { f: sigmoid, slope: (x) => sigmoid(x) * (1 - sigmoid(x)), saves: 'y', scale: 3 },
  stable_tanh: { f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2, saves: 'y' },
  exponential: { f: Math.exp, slope: Math.exp, saves: 'y', scale: 3 },
  logarithm: { f: Math.log, slope: (x) => 1 / x, saves: 'x', positive: true },
  square_root: { f: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x), saves: 'y', positive: true },
  negative: { f: (x) => -x },
  absolute: { f: Math.abs, slope: Math.sign, saves: 'x' },
  square: { f: (x) => x * x, slope: (x) => 2 * x, saves: 'x' },
  reciprocal: { f: (x) => 1 / x, slope: (x) => -1 / (x * x), saves: 'y', positive: true },
  whole_power: { f: (x) => x ** 5, p: 5 },
  power: { f: (x) => x ** 0.7, p: 0.7, positive: true },
  clamp_both: {
    f: (x) => Math.min(Math.max(x, -0.5), 1),
    slope: (x) => Number(x >= -0.5 && x <= 1),
    saves: 'x',
    p: -0.5,
    q: 1,
  },
  clamp_min: { f: (x) => Math.max(x, 0.3), slope: (x) => Number(x >= Math.fround(0.3)), saves: 'x', p: 0.3 },
  clamp_max: { f: (x) => Math.min(x, 0.3), slope: (x) => Number(x <= Math.fround(0.3)), saves: 'x', q: 0.3 },
};

const ARITHMETIC: Record<Arithmetic, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  subtract_from: (a, b) => b - a,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  divide_into: (a, b) => b / a,
  maximum: Math.max,
  minimum: Math.min,
  multiply_share: (a, b) => (b === 0 ? 0 : a * b),
};

const COMPARISON: Record<Comparison, (a: number, b: number) => number> = {
  equal: (a, b) => Number(a === b),
  not_equal: (a, b) => Number(a !== b),
  less: (a, b) => Number(a < b),
  less_equal: (a, b) => Number(a <= b),
  greater: (a, b) => Number(a > b),
  greater_equal: (a, b) => Number(a >= b),
  share_of_greater: (a, b) => (a > b ? 1 : a === b ? 0.5 : 0),
  share_of_less: (a, b) => (a < b ? 1 : a === b ? 0.5 : 0),
};

const BROADCASTS: { a: number[]; b: number[] }[] = [
  { a: [], b: [] },
  { a: [7], b: [7] },
  { a: [2, 3, 4, 8], b: [2, 3, 4, 8] },
  { a: [2, 3, 4, 8], b: [] },
  { a: [2, 5, 4, 8], b: [5, 1, 1] },
  { a: [2, 5, 7, 7], b: [1, 5, 1, 1] },
  { a: [3, 16], b: [16] },
  { a: [3, 5], b: [3, 1] },
  { a: [3, 19], b: [3, 1] },
  { a: [5, 1], b: [1, 6] },
  { a: [4], b: [3, 2, 4] },
  { a: [2, 1, 2, 1, 3, 1], b: [3, 1, 2, 1, 4] },
];

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The element of an array of shape `from` at each place of `shape`, to which it broadcasts. */
function broadcastTo(values: Values, from: readonly number[], shape: readonly number[]): number[] {
  return Array.from({ length: count(shape) }, (_, e) => {
    let rest = e;
    let at = 0;
    let stride = 1;
    for (let i = 1; i <= shape.length; i++) {
      const size = shape.at(-i) ?? 1;
      const own = from.at(-i) ?? 1;
      at += own === 1 ? 0 : (rest % size) * stride;
      stride *= own;
      rest = Math.floor(rest / size);
    }
    return values[at] ?? Number.NaN;
  });
}

/** Multiples of a half between -2 and 2, so that equal pairs occur and nothing is 0 twice removed. */
const coarse = (name: string, length: number): Values =>
  normal(name, length).map((x) => Math.min(2, Math.max(-2, Math.round(2 * x) / 2)) || 0.25);

const random = (name: string, length: number): Values => Float32Array.from(normal(name, length));

describe.each(VARIANTS)(
  'elementwise kernels, $kind variant, params baked: $bakeParams',
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

    it('functions of one variable and their derivatives', async () => {
      const cases = Object.entries(UNARY).flatMap(([name, reference]) =>
        LENGTHS.slice(0, 3).map((length) => ({ name: name as UnaryFunction, reference, length })),
      );
      const bindings = new Map<ReturnType<typeof buffer>, Values>();
      const dispatches: Dispatch[] = [];
      const checks = cases.map(({ name, reference, length }) => {
        const { f, slope, saves, positive, scale = 1 } = reference;
        const values = random(`${name}${length}`, length).map((v) =>
          positive ? Math.abs(v) + 0.1 : v * scale,
        );
        const [x, y, dy, saved, dx] = Array.from({ length: 5 }, () => buffer(length)) as Five;
        bindings.set(x, values);
        dispatches.push(unary(geometry, name, x, y, reference));
        const exact = Array.from(values, f);
        if (slope === undefined) return { name, buffer: y, exact };
        const upstream = random(`${name}${length}/dy`, length);
        bindings.set(dy, upstream).set(saved, saves === 'x' ? values : Float32Array.from(exact));
        dispatches.push(unaryBackward(geometry, name as UnaryBackwardFunction, dy, saved, dx, reference));
        const gradient = Array.from(values, (v, i) => slope(v) * (upstream[i] ?? 0));
        return { name, buffer: y, exact, dx, gradient };
      });
      const results = await runDispatches(gpu, dispatches, bindings);
      const worst = checks.map(({ name, buffer: y, exact, dx, gradient }) => {
        const forward = relativeError(results.get(y), exact);
        const backward = dx === undefined ? 0 : relativeError(results.get(dx), gradient);
        expect(forward, name).toBeLessThan(1e-6);
        expect(backward, `${name} backward`).toBeLessThan(2e-6);
        return Math.max(forward, backward);
      });
      console.log(`unary, ${kind}: worst relative error ${Math.max(...worst).toExponential(1)}`);
    });

    it('stay finite and exact far from 0 and near it', async () => {
      const values = Float32Array.of(-1e30, -200, -90, -1e-4, -0, 1e-6, 0.6, 0.7, 100, 1e30, 30, -30);
      const [x, tanh, sig] = [buffer(12), buffer(12), buffer(12)];
      const results = await runDispatches(
        gpu,
        [unary(geometry, 'stable_tanh', x, tanh), unary(geometry, 'sigmoid', x, sig)],
        new Map([[x, values]]),
      );
      Array.from(values).forEach((v, i) => {
        const t = results.get(tanh)?.[i] ?? Number.NaN;
        expect(Math.abs(t - Math.tanh(v))).toBeLessThanOrEqual(4e-7 * Math.abs(Math.tanh(v)));
        const s = results.get(sig)?.[i] ?? Number.NaN;
        expect(Math.abs(s - sigmoid(v))).toBeLessThanOrEqual(Math.max(1e-36, 4e-5 * sigmoid(v)));
      });
    });

    it('refuse elements for which they have no code', () => {
      const [half, word] = [buffer(4, 'f16'), buffer(4)];
      expect(() => copy(geometry, half, word)).toThrow(
        'kernels have no code for f16: cast to f32, i32 or u32',
      );
      expect(() => fill(geometry, buffer(4, 'u8'), 1)).toThrow(TypeError);
      const operand = { buffer: half, shape: [4] };
      expect(() => binary(geometry, 'add', operand, operand, half, [4])).toThrow('no code for f16');
    });

    it('a NaN passes through relu, leaky relu and clamp', async () => {
      const x = buffer(4);
      const functions = ['relu', 'leaky_relu', 'clamp_both'] as const;
      const outputs = functions.map((name) => ({ name, y: buffer(4) }));
      const results = await runDispatches(
        gpu,
        outputs.map(({ name, y }) => unary(geometry, name, x, y, { p: -1, q: 1 })),
        new Map([[x, Float32Array.of(1, Number.NaN, -3, 0)]]),
      );
      for (const { name, y } of outputs) expect(results.get(y)?.[1], name).toBeNaN();
    });

    it('functions of two variables over every kind of broadcast', async () => {
      let worst = 0;
      for (const { a, b } of BROADCASTS) {
        const rank = Math.max(a.length, b.length);
        const shape = Array.from({ length: rank }, (_, i) =>
          Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1),
        );
        const [x, z] = [
          { buffer: buffer(count(a)), shape: a },
          { buffer: buffer(count(b)), shape: b },
        ];
        const values = { x: coarse(`a${a.join()}`, count(a)), z: coarse(`b${b.join()}`, count(b)) };
        const [left, right] = [broadcastTo(values.x, a, shape), broadcastTo(values.z, b, shape)];
        // The functions differ in one expression; the walk is what broadcasting tests.
        const names = ['subtract', 'divide', 'less_equal'] as const;
        const outputs = names.flatMap((name) => [
          { name, y: buffer(count(shape)), swapped: false },
          { name, y: buffer(count(shape)), swapped: true },
        ]);
        const results = await runDispatches(
          gpu,
          outputs.map(({ name, y, swapped }) =>
            swapped ? binary(geometry, name, z, x, y, shape) : binary(geometry, name, x, z, y, shape),
          ),
          new Map([
            [x.buffer, values.x],
            [z.buffer, values.z],
          ]),
        );
        for (const { name, y, swapped } of outputs) {
          const f = { ...ARITHMETIC, ...COMPARISON }[name];
          const exact = left.map((l, i) => (swapped ? f(right[i] ?? NaN, l) : f(l, right[i] ?? NaN)));
          const error = relativeError(results.get(y), exact);
          expect(error, `${name} of [${a.join()}] and [${b.join()}]`).toBeLessThan(2e-7);
          worst = Math.max(worst, error);
        }
      }
      console.log(`broadcasting, ${kind}: worst relative error ${worst.toExponential(1)}`);
    });

    it('every function of two variables, with arrays and with a number', async () => {
      const shape = [3, 12];
      const [x, z] = [buffer(36), buffer(36)];
      const values = { x: coarse('x', 36), z: coarse('z', 36) };
      const table = { ...ARITHMETIC, ...COMPARISON };
      const outputs = Object.keys(table).map((name) => ({
        name: name as keyof typeof table,
        y: buffer(36),
        byNumber: buffer(36),
      }));
      const results = await runDispatches(
        gpu,
        outputs.flatMap(({ name, y, byNumber }) => [
          binary(geometry, name, { buffer: x, shape }, { buffer: z, shape }, y, shape),
          binary(geometry, name, { buffer: x, shape }, 0.5, byNumber, shape),
        ]),
        new Map([
          [x, values.x],
          [z, values.z],
        ]),
      );
      for (const { name, y, byNumber } of outputs) {
        const f = table[name];
        const exact = Array.from(values.x, (v, i) => f(v, values.z[i] ?? NaN));
        expect(relativeError(results.get(y), exact), name).toBeLessThan(2e-7);
        const exactNumber = Array.from(values.x, (v) => f(v, 0.5));
        expect(relativeError(results.get(byNumber), exactNumber), name).toBeLessThan(2e-7);
      }
    });

    it('integers add and compare exactly', async () => {
      const [x, z] = [buffer(5, 'i32'), buffer(5, 'i32')];
      const [sum, same] = [buffer(5, 'i32'), buffer(5)];
      const results = await runDispatches(
        gpu,
        [
          binary(geometry, 'add', { buffer: x, shape: [5] }, { buffer: z, shape: [5] }, sum, [5]),
          binary(geometry, 'equal', { buffer: x, shape: [5] }, 7, same, [5]),
        ],
        new Map([
          [x, Int32Array.of(7, -1, 2 ** 30, 16777217, 7)],
          [z, Int32Array.of(1, 2, 3, 1, -7)],
        ]),
      );
      expect([...(results.get(sum) ?? [])]).toEqual([8, 1, 2 ** 30 + 3, 16777218, 0]);
      expect([...(results.get(same) ?? [])]).toEqual([1, 0, 0, 0, 1]);
    });

    it.each(LENGTHS)('fill, copy, accumulate and where, %i elements', async (length) => {
      const [x, condition] = [random('x', length), coarse('c', length).map((c) => Number(c > 0))];
      const [from, to, total, filled, infinite, c] = Array.from({ length: 6 }, () => buffer(length)) as Six;
      const [both, left, right] = Array.from({ length: 3 }, () => buffer(length)) as Three;
      const before = random('total', length);
      const words = x.slice();
      words[0] = Number.NaN;
      const source = buffer(length);
      const results = await runDispatches(
        gpu,
        [
          copy(geometry, source, to),
          accumulate(geometry, total, from),
          fill(geometry, filled, -0.1),
          fill(geometry, infinite, -Infinity),
          where(geometry, c, from, filled, both),
          where(geometry, c, from, 0, left),
          where(geometry, c, 2.5, from, right),
        ],
        new Map([
          [from, x],
          [source, words],
          [total, before],
          [c, condition],
        ]),
      );
      expect(results.get(to)).toEqual(words);
      expect(results.get(total)).toEqual(before.map((t, i) => t + (x[i] ?? NaN)));
      expect(results.get(filled)).toEqual(new Float32Array(length).fill(-0.1));
      expect(results.get(infinite)).toEqual(new Float32Array(length).fill(-Infinity));
      expect(results.get(both)).toEqual(x.map((v, i) => (condition[i] === 1 ? v : Math.fround(-0.1))));
      expect(results.get(left)).toEqual(x.map((v, i) => (condition[i] === 1 ? v : 0)));
      expect(results.get(right)).toEqual(x.map((v, i) => (condition[i] === 1 ? 2.5 : v)));
    });

    it('conversions between element types', async () => {
      const [x, i, u, back] = [buffer(4), buffer(4, 'i32'), buffer(4, 'u32'), buffer(4)];
      const results = await runDispatches(
        gpu,
        [copy(geometry, x, i), copy(geometry, i, u), copy(geometry, i, back)],
        new Map([[x, Float32Array.of(1.9, -1.9, 0, 16777216)]]),
      );
      expect([...(results.get(i) ?? [])]).toEqual([1, -1, 0, 16777216]);
      expect([...(results.get(u) ?? [])]).toEqual([1, 2 ** 32 - 1, 0, 16777216]);
      expect([...(results.get(back) ?? [])]).toEqual([1, -1, 0, 16777216]);
    });
  },
);

type Ref = ReturnType<typeof buffer>;
type Three = [Ref, Ref, Ref];
type Five = [Ref, Ref, Ref, Ref, Ref];
type Six = [Ref, Ref, Ref, Ref, Ref, Ref];
