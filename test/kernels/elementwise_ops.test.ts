import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as w from '../../src/index.ts';
import type { Device, Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

/** What the fixtures from PyTorch leave out: numbers at the left, integers, comparisons, odd arguments, errors. */
let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
const leaf = (values: readonly number[], shape?: readonly number[]): Tensor =>
  device.tensor(values, shape ?? [values.length], { requiresGrad: true });
const gradient = async (x: Tensor): Promise<number[]> => list(x.grad ?? device.tensor([]));

describe('functions of two variables', () => {
  it('take a number at either side', async () => {
    const x = leaf([1, 2, 4]);
    expect(await list(w.sub(10, x))).toEqual([9, 8, 6]);
    expect(await list(w.div(8, x))).toEqual([8, 4, 2]);
    expect(await list(w.maximum(x, 2))).toEqual([2, 2, 4]);
    expect(await list(w.lt(2, x))).toEqual([0, 0, 1]);
    expect(await list(w.ge(2, x))).toEqual([1, 1, 0]);
    w.sum(w.add(w.sub(10, x), w.add(w.div(8, x), w.maximum(x, 2)))).backward();
    // -1 - 8 / x^2 + (0, 1/2, 1)
    expect(await gradient(x)).toEqual([-9, -2.5, -0.5]);
  });

  it('give both operands their gradient when these are one tensor', async () => {
    const x = leaf([3, -2]);
    w.sum(w.mul(x, x)).backward();
    expect(await gradient(x)).toEqual([6, -4]);
  });

  it('share the gradient of equal maxima and minima, as PyTorch does', async () => {
    const [a, b] = [leaf([1, 2, 3]), leaf([3, 2, 1])];
    w.sum(w.add(w.maximum(a, b), w.mul(w.minimum(a, b), 10))).backward();
    expect(await gradient(a)).toEqual([10, 5.5, 1]);
    expect(await gradient(b)).toEqual([1, 5.5, 10]);
  });

  it('compare', async () => {
    const [a, b] = [device.tensor([1, 2, 3]), device.tensor([2, 2, 2])];
    const results = [w.eq(a, b), w.ne(a, b), w.lt(a, b), w.le(a, b), w.gt(a, b), w.ge(a, b)];
    expect(await Promise.all(results.map(list))).toEqual([
      [0, 1, 0],
      [1, 0, 1],
      [1, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
      [0, 1, 1],
    ]);
  });

  it('work on integers, and say what they do not take', async () => {
    const [a, b] = [device.tensor(Int32Array.of(5, -3)), device.tensor(Int32Array.of(5, 4))];
    expect(await list(w.mul(a, b))).toEqual([25, -12]);
    expect(await list(w.eq(a, b))).toEqual([1, 0]);
    expect(w.add(a, 1).dtype).toBe('i32');
    expect(() => w.add(a, 0.5)).toThrow('add of i32 and 0.5');
    expect(() => w.div(a, b)).toThrow('div takes f32');
    expect(() => w.add(a, device.tensor([1, 2]))).toThrow('add of i32 and f32');
    expect(() => w.add(device.tensor([1, 2]), device.tensor([1, 2, 3]))).toThrow(
      '[2] and [3] do not broadcast',
    );
  });
});

describe('functions of one variable', () => {
  it('raise to whole, negative and broken powers', async () => {
    const x = leaf([-2, 0.5, 3]);
    expect(await list(w.pow(x, 3))).toEqual([-8, 0.125, 27]);
    expect(await list(w.pow(x, 0))).toEqual([1, 1, 1]);
    const inverse = await list(w.pow(x, -2));
    [0.25, 4, 1 / 9].forEach((want, i) => {
      expect(inverse[i]).toBeCloseTo(want, 6);
    });
    const [zero, root] = await list(w.pow(device.tensor([0, 4]), 0.5));
    expect(zero).toBe(0);
    expect(root).toBeCloseTo(2, 5);
    w.sum(w.add(w.pow(x, 3), w.pow(x, 0))).backward();
    expect(await gradient(x)).toEqual([12, 0.75, 27]);
  });

  it('clamp lets the gradient through at its limits', async () => {
    const x = leaf([-1, 0, 0.5, 1, 2]);
    const y = w.clamp(x, { min: 0, max: 1 });
    expect(await list(y)).toEqual([0, 0, 0.5, 1, 1]);
    w.sum(y).backward();
    expect(await gradient(x)).toEqual([0, 1, 1, 1, 0]);
    expect(() => w.clamp(x, {})).toThrow('a min or a max');
    expect(() => w.clamp(x, { min: 2, max: 1 })).toThrow('min 2 is above max 1');
  });

  it('cast between types, and refuse integers elsewhere', async () => {
    const x = w.cast(device.tensor([1.7, -1.7, 3]), 'i32');
    expect(x.dtype).toBe('i32');
    expect(await list(x)).toEqual([1, -1, 3]);
    expect(() => w.relu(x)).toThrow('relu takes f32, got i32');
  });
});

describe('where', () => {
  it('takes numbers and one tensor twice', async () => {
    const [x, z] = [leaf([1, 2, 3]), leaf([4, 5, 6])];
    const condition = w.gt(x, 1.5);
    expect(await list(w.where(condition, x, -1))).toEqual([-1, 2, 3]);
    expect(await list(w.where(condition, 7, 8))).toEqual([8, 7, 7]);
    const y = w.add(w.where(condition, x, 0), w.add(w.where(condition, 0, z), w.where(condition, x, x)));
    w.sum(y).backward();
    expect(await list(y)).toEqual([1 + 4, 4, 6]);
    expect(await gradient(x)).toEqual([1, 2, 2]);
    expect(await gradient(z)).toEqual([1, 0, 0]);
  });
});
