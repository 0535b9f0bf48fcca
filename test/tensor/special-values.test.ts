import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { avgPool2d, batchNorm2d, conv2d, relu, sum, type Device, type Tensor } from '../../src/index.ts';
import { normal } from '../support/hash.ts';
import { testDevice } from '../support/engine.ts';
import { runOp, type Attrs } from '../support/ops.ts';
import { readJson } from '../support/oracle.ts';

/*
 * NaN, infinities, zeros, subnormals and the largest numbers, forward and backward, against PyTorch f64 rounded to f32
 * (tools/special_values.py). WGSL lets an adapter take a subnormal number for a zero, and lose the sign of a zero in a result.
 */

type Stored = number | string;

type Case = Operation & Record<string, unknown>;

interface Operation {
  readonly op: string;
  readonly attrs: Attrs;
  /** Every element by itself: element i of each result comes from element i of the inputs and of dy. */
  readonly elementwise: boolean;
  readonly inputs: readonly (readonly Stored[])[];
  readonly shapes: readonly (readonly number[])[];
  readonly dy: readonly Stored[];
}

const { cases } = readJson('special_values.json') as { cases: Case[] };
const SMALLEST_NORMAL = 2 ** -126;
/** The finite upstream gradient of elementwise cases. */
const FINITE_DY = 1.5;

const parse = (stored: Stored): number =>
  typeof stored === 'number'
    ? stored
    : ({ nan: NaN, inf: Infinity, '-inf': -Infinity, '-0.0': -0 }[stored] ?? Number(stored));
const numbers = (list: unknown): number[] => (list as Stored[]).map(parse);
const isTiny = (x: number): boolean => Math.abs(x) < SMALLEST_NORMAL;
const flushed = (x: number): number => (isTiny(x) ? 0 * Math.sign(x) : x);

function agrees(actual: number, expected: number, least: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  if (isTiny(expected)) return isTiny(actual);
  return actual === expected || Math.abs(actual - expected) <= 1e-5 * Math.max(Math.abs(expected), least);
}

/**
 * What element i may be: PyTorch's, or PyTorch's for an input that was taken for a zero, or NaN where an infinite dy meets a slope
 * too small for f32.
 */
function allowed({ inputs, dy }: Case, expected: readonly number[], i: number): number[] {
  const columns = [dy, ...inputs].map(numbers);
  const [upstream = NaN, ...point] = columns.map((column) => column[i] ?? NaN);
  const at = (dy: number): number[] =>
    expected.filter((_, j) =>
      [dy, ...point].every((x, c) => {
        const other = columns[c]?.[j];
        return Object.is(other, x) || (isTiny(x) && Object.is(other, flushed(x)));
      }),
    );
  const underflows = at(upstream).some((y) => Math.abs(y) === Infinity) && at(FINITE_DY).some(isTiny);
  return [...at(upstream), ...(underflows ? [NaN] : [])];
}

async function compute(device: Device, one: Case, count?: number): Promise<Map<string, ArrayLike<number>>> {
  const tensors = one.inputs.map((values, i) => {
    const shape = count === undefined ? (one.shapes[i] ?? []) : [count];
    const data = numbers(values).slice(0, count);
    const isClasses = one.op === 'crossEntropy' && shape.length === 1;
    return isClasses
      ? device.tensor(Int32Array.from(data), shape)
      : device.tensor(Float32Array.from(data), shape, { requiresGrad: `grad${i}` in one });
  });
  const outputs = runOp(one.op, tensors, one.attrs);
  if (outputs.out.requiresGrad) {
    const dy = Float32Array.from(numbers(one.dy).slice(0, count));
    outputs.out.backward(device.tensor(dy, outputs.out.shape));
  }
  const gradients = tensors.flatMap(({ grad }, i): [string, Tensor][] =>
    grad === null ? [] : [[`grad${i}`, grad]],
  );
  const results = [...Object.entries(outputs), ...gradients];
  const data = await Promise.all(results.map(([, tensor]) => tensor.data()));
  for (const tensor of [...tensors, ...results.map(([, tensor]) => tensor)]) tensor.dispose();
  return new Map(results.map(([key], i) => [key, data[i] ?? []]));
}

describe.each(['cpu', 'gpu'] as const)('special values, kernels for a %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ kind });
  });
  afterAll(() => device.destroy());

  test.each(cases.map((one, i): [string, Case] => [`${i} ${one.op} ${JSON.stringify(one.attrs)}`, one]))(
    '%s',
    async (_, one) => {
      // Elementwise kernels take four elements at a time where the length allows, else one.
      const whole = one.inputs[0]?.length ?? 0;
      for (const count of one.elementwise ? [whole, whole - 1] : [undefined]) {
        const actual = await compute(device, one, count);
        const wrong = [...actual].flatMap(([key, values]) => {
          const expected = numbers(one[key]);
          return Array.from(values).flatMap((value, i) => {
            const answers = one.elementwise ? allowed(one, expected, i) : [expected[i] ?? NaN];
            if (answers.some((answer) => agrees(value, answer, one.elementwise ? 0 : 1))) return [];
            const from = one.elementwise
              ? [...one.inputs, one.dy].map((column) => column[i]).join(', ')
              : `element ${i}`;
            return [`${key} of (${from}) is ${value}, PyTorch has ${answers.join(' or ')}`];
          });
        });
        expect(wrong, wrong.slice(0, 20).join('\n')).toEqual([]);
      }
    },
  );
});

/** Norms and convolutions of each channel by itself: y and gradients, of which those of one channel are this channel's alone. */
async function channelwise(device: Device, x: Float32Array<ArrayBuffer>): Promise<Float32Array[]> {
  const leaf = (name: string, shape: number[]): Tensor =>
    device.tensor(
      Float32Array.from(
        normal(
          name,
          shape.reduce((a, b) => a * b, 1),
        ),
      ),
      shape,
      { requiresGrad: true },
    );
  const input = device.tensor(x, [2, 6, 4, 4], { requiresGrad: true });
  const [weight, bias, last] = [leaf('weight', [6]), leaf('bias', [6]), leaf('last', [6])];
  const [spatial, pointwise] = [leaf('spatial', [6, 1, 3, 3]), leaf('pointwise', [6, 1, 1, 1])];
  const norm = (x: Tensor, scale: Tensor): Tensor =>
    relu(batchNorm2d(x, { weight: scale, bias, runningMean: null, runningVar: null, training: true }));
  const first = conv2d(norm(input, weight), spatial, null, { padding: 1, groups: 6 });
  const second = conv2d(norm(first, last), pointwise, null, { groups: 6 });
  const y = avgPool2d(norm(second, weight), { kernelSize: 2 });
  sum(y).backward();
  const found = [y, input.grad, spatial.grad, pointwise.grad, weight.grad, last.grad, bias.grad];
  return Promise.all(found.map(async (tensor) => Float32Array.from((await tensor?.data()) ?? [])));
}

describe.each(['cpu', 'gpu'] as const)(
  'fused batch norms of channels with NaN or infinities, kernels for a %s',
  (kind) => {
    test.each([true, false])('leave other channels alone, fusion %s', async (fusion) => {
      const device = await testDevice({ kind, fusion });
      const clean = Float32Array.from(normal('x', 2 * 6 * 16));
      const spoiled = clean.slice();
      // In image 1.
      spoiled[16 * (6 + 1) + 5] = NaN;
      spoiled[16 * (6 + 2) + 5] = Infinity;
      spoiled[16 * (6 + 4) + 5] = -Infinity;
      const [expected, actual] = [await channelwise(device, clean), await channelwise(device, spoiled)];
      await device.destroy();
      expected.forEach((values, t) => {
        const perChannel = t < 2 ? values.length / 12 : values.length / 6;
        values.forEach((value, i) => {
          const channel = Math.floor(i / perChannel) % 6;
          const got = actual[t]?.[i];
          if ([1, 2, 4].includes(channel)) expect(got, `result ${t}, element ${i}`).toBeNaN();
          else expect(got, `result ${t}, element ${i}`).toBeCloseTo(value, 5);
        });
      });
    });
  },
);
