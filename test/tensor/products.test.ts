import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conv2d, linear, matmul } from '../../src/index.ts';
import type { Device, Tensor } from '../../src/index.ts';
import { relativeError } from '../kernels/compare.ts';
import { testDevice } from '../support/engine.ts';
import { normal } from '../support/hash.ts';

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

const random = (name: string, shape: number[], requiresGrad = true): Tensor =>
  device.tensor(
    normal(
      name,
      shape.reduce((product, size) => product * size, 1),
    ),
    shape,
    { requiresGrad },
  );

async function gradientOf({ grad }: Tensor): Promise<ArrayLike<number>> {
  if (grad === null) throw new Error('a leaf has no gradient');
  return grad.data();
}

/** [batch, rows, columns] with the last two dimensions exchanged. */
function exchanged(values: ArrayLike<number>, rows: number, columns: number): Float32Array {
  const size = rows * columns;
  return Float32Array.from({ length: values.length }, (_, i) => {
    const within = i % size;
    return values[i - within + (within % rows) * columns + Math.floor(within / rows)] ?? Number.NaN;
  });
}

describe('matmul of operands stored transposed', () => {
  // [2, 5, 3] with [2, 3, 4], and the second operand shared by the batch.
  const layouts = [false, true].flatMap((a) =>
    [false, true].flatMap((b) => [false, true].map((c) => [a, b, c])),
  );
  it.each(layouts)('%s and %s, shared %s: result and gradients of the plain product', async (...layout) => {
    const [transposeA = false, transposeB = false, shared = false] = layout;
    const a = random('a', [2, 5, 3]);
    const b = random('b', shared ? [3, 4] : [2, 3, 4]);
    const stored = async (x: Tensor, transposed: boolean): Promise<Tensor> => {
      const [rows = 1, columns = 1] = x.shape.slice(-2);
      const values = await x.data();
      return device.tensor(
        transposed ? exchanged(values, rows, columns) : Float32Array.from(values),
        transposed ? [...x.shape.slice(0, -2), columns, rows] : x.shape,
        { requiresGrad: true },
      );
    };
    const storedA = await stored(a, transposeA);
    const storedB = await stored(b, transposeB);
    const dy = random('dy', [2, 5, 4], false);
    const plain = matmul(a, b);
    plain.backward(dy);
    const y = matmul(storedA, storedB, { transposeA, transposeB });
    y.backward(dy);
    expect(y.shape).toEqual([2, 5, 4]);
    const da = await gradientOf(storedA);
    const db = await gradientOf(storedB);
    const errors = [
      relativeError(await y.data(), await plain.data()),
      relativeError(transposeA ? exchanged(da, 3, 5) : da, await gradientOf(a)),
      relativeError(transposeB ? exchanged(db, 4, 3) : db, await gradientOf(b)),
    ];
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });
});

it('takes vectors as PyTorch does', () => {
  expect(matmul(random('v', [3]), random('v', [3])).shape).toEqual([]);
  expect(matmul(random('v', [3]), random('m', [2, 3, 4])).shape).toEqual([2, 4]);
  expect(matmul(random('m', [2, 4, 3]), random('v', [3])).shape).toEqual([2, 4]);
  expect(matmul(random('m', [2, 3, 4]), random('v', [3]), { transposeA: true }).shape).toEqual([2, 4]);
});

it('gives the same bits again', async () => {
  const run = async (): Promise<ArrayLike<number>[]> => {
    const x = random('x', [3, 9, 20, 11]);
    const weight = random('w', [13, 9, 3, 3]);
    conv2d(x, weight, null, { padding: 1 }).backward(random('dy', [3, 13, 20, 11], false));
    return [await gradientOf(x), await gradientOf(weight)];
  };
  expect(await run()).toEqual(await run());
});

it('makes gradients only where they are wanted', async () => {
  const x = random('x', [2, 3, 5, 5], false);
  const weight = random('w', [4, 3, 3, 3]);
  conv2d(x, weight).backward(random('dy', [2, 4, 3, 3], false));
  expect(x.grad).toBeNull();
  expect((await gradientOf(weight)).length).toBe(4 * 3 * 3 * 3);
});

describe('sizes that do not fit are named', () => {
  const x = (): Tensor => random('x', [2, 6, 5, 4], false);
  const w = (...shape: number[]): Tensor => random('w', shape, false);
  const cases: [string, () => Tensor, string][] = [
    ['inner sizes', () => matmul(w(2, 3), w(4, 5)), 'inner sizes of [2, 3] and [4, 5]'],
    ['inner sizes, transposed', () => matmul(w(2, 3), w(3, 5), { transposeB: true }), '[3, 5] transposed'],
    ['leading dimensions', () => matmul(w(2, 4, 3), w(3, 3, 5)), 'do not broadcast'],
    ['linear', () => linear(w(2, 3), w(5, 4)), 'an input of [2, 3] does not fit a weight of [5, 4]'],
    ['linear bias', () => linear(w(2, 3), w(5, 3), w(3)), 'the bias is [3], expected [5]'],
    ['rank of the input', () => conv2d(w(6, 5, 4), w(1, 6, 1, 1)), 'must be [N, C, H, W], got [6, 5, 4]'],
    ['rank of the weight', () => conv2d(x(), w(6, 1, 1)), 'got [6, 1, 1]'],
    [
      'channels',
      () => conv2d(x(), w(1, 5, 1, 1)),
      'has 6 channels a group, the weight [1, 5, 1, 1] expects 5',
    ],
    ['groups', () => conv2d(x(), w(4, 2, 1, 1), null, { groups: 3 }), '3 groups do not divide 6 input and 4'],
    [
      'groups below 1',
      () => conv2d(x(), w(4, 6, 1, 1), null, { groups: 0 }),
      'groups must be an integer of at least 1, got 0',
    ],
    ['bias', () => conv2d(x(), w(4, 6, 1, 1), w(3)), 'the bias is [3], expected [4]'],
    ['kernel', () => conv2d(x(), w(1, 6, 3, 3), null, { dilation: [1, 2] }), 'reaches over 5 elements'],
    [
      'stride',
      () => conv2d(x(), w(1, 6, 1, 1), null, { stride: 0 }),
      'stride must be an integer of at least 1',
    ],
    ['padding', () => conv2d(x(), w(1, 6, 1, 1), null, { padding: [0, -1] }), 'got [0, -1]'],
  ];
  it.each(cases)('%s', (_, call, message) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
});
