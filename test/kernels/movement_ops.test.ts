import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as w from '../../src/index.ts';
import type { Device, Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

/** What the fixtures from PyTorch leave out: what is built on top, odd arguments, integers, errors. */
let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
const counting = (shape: readonly number[], requiresGrad = false): Tensor => {
  const length = shape.reduce((product, size) => product * size, 1);
  return device.tensor(
    Float32Array.from({ length }, (_, i) => i),
    shape,
    { requiresGrad },
  );
};

describe('reshapes', () => {
  it('flatten, squeeze and unsqueeze as PyTorch does', () => {
    const x = counting([2, 1, 3, 1]);
    expect(w.flatten(x).shape).toEqual([6]);
    expect(w.flatten(x, 1).shape).toEqual([2, 3]);
    expect(w.flatten(x, 0, -2).shape).toEqual([6, 1]);
    expect(w.flatten(device.tensor(5)).shape).toEqual([1]);
    expect(w.squeeze(x).shape).toEqual([2, 3]);
    expect(w.squeeze(x, -1).shape).toEqual([2, 1, 3]);
    expect(w.squeeze(x, 0).shape).toEqual([2, 1, 3, 1]);
    expect(w.unsqueeze(x, -1).shape).toEqual([2, 1, 3, 1, 1]);
    expect(w.unsqueeze(x, 1).shape).toEqual([2, 1, 1, 3, 1]);
    expect(() => w.unsqueeze(x, 5)).toThrow('takes a dim of -5 to 4, got 5');
  });
});

describe('parts and wholes', () => {
  it('split and chunk leave the rest to the last part', async () => {
    const x = counting([2, 5], true);
    const parts = w.split(x, 2, 1);
    expect(parts.map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 2],
      [2, 1],
    ]);
    expect(await Promise.all(parts.map(list))).toEqual([
      [0, 1, 5, 6],
      [2, 3, 7, 8],
      [4, 9],
    ]);
    expect(w.chunk(x, 3, 1).map(({ shape }) => shape[1])).toEqual([2, 2, 1]);
    const [, middle, last] = w.chunk(x, 3, -1);
    if (!middle || !last) throw new Error('three chunks were asked for');
    w.add(w.sum(middle), w.mul(w.sum(last), 3)).backward();
    expect(await list(x.grad ?? x)).toEqual([0, 0, 1, 1, 3, 0, 0, 1, 1, 3]);
  });

  it('stack adds a dimension, and its gradients are the layers', async () => {
    const [a, b] = [counting([2, 2], true), counting([2, 2], true)];
    const y = w.stack([a, b], 1);
    expect(y.shape).toEqual([2, 2, 2]);
    expect(await list(y)).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
    w.sum(w.mul(y, counting([2, 2, 2]))).backward();
    expect(await list(a.grad ?? a)).toEqual([0, 1, 4, 5]);
    expect(await list(b.grad ?? b)).toEqual([2, 3, 6, 7]);
  });

  it('one tensor twice in concat gets both gradients', async () => {
    const x = counting([3], true);
    w.sum(w.mul(w.concat([x, x]), device.tensor([1, 2, 3, 10, 20, 30]))).backward();
    expect(await list(x.grad ?? x)).toEqual([11, 22, 33]);
  });

  it('integers move too', async () => {
    const x = device.tensor(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    const y = w.transpose(x, 0, -1);
    expect([y.dtype, y.shape]).toEqual(['i32', [3, 2]]);
    expect(await list(y)).toEqual([1, 4, 2, 5, 3, 6]);
    expect(
      await list(
        w.pad(
          x,
          [
            [0, 0],
            [1, 0],
          ],
          { value: -1 },
        ),
      ),
    ).toEqual([-1, 1, 2, 3, -1, 4, 5, 6]);
  });

  it('indexSelect along any dimension, each repeat counted in the gradient', async () => {
    const x = counting([2, 3], true);
    const y = w.indexSelect(x, 1, device.tensor(Int32Array.of(2, 0, 2)));
    expect(await list(y)).toEqual([2, 0, 2, 5, 3, 5]);
    w.sum(y).backward();
    expect(await list(x.grad ?? x)).toEqual([1, 0, 2, 1, 0, 2]);
  });

  it('expand keeps sizes given as -1', async () => {
    expect(await list(w.expand(counting([2, 1]), [2, -1, 2]).sum())).toEqual([4]);
  });

  it('random tensors have their shapes and new numbers in each call', async () => {
    const [a, b, c] = await Promise.all(
      [w.rand(device, [2, 3]), w.rand(device, [2, 3]), w.randn(device, [5])].map(list),
    );
    expect([a?.length, c?.length]).toEqual([6, 5]);
    expect(a?.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(a).not.toEqual(b);
  });
});

describe('errors name what does not fit', () => {
  it.each<[string, () => unknown]>([
    ['needs each dimension once, got [0, 0]', () => w.permute(counting([2, 3]), [0, 0])],
    ['[2, 3] does not expand to [2, 4]', () => w.expand(counting([2, 3]), [2, 4])],
    ['concat along 0: shapes [2, 3] and [2, 4] differ', () => w.concat([counting([2, 3]), counting([2, 4])])],
    ['concat needs at least one tensor', () => w.concat([])],
    ['slice 3:3 of 3 elements along 0 is empty', () => w.slice(counting([3]), { dim: 0, start: 3 })],
    ['step must be an integer of at least 1, got 0', () => w.slice(counting([3]), { dim: 0, step: 0 })],
    ['pad of [3] needs [before, after] for each dimension', () => w.pad(counting([3]), [[-1, 0]])],
    ['indices of i32 [n], got f32 [3]', () => w.indexSelect(counting([3]), 0, counting([3]))],
    ['chunk needs an integer of at least 1 for the chunks, got 0', () => w.chunk(counting([3]), 0)],
    ['2 is no dimension of shape [2, 3]', () => w.transpose(counting([2, 3]), 0, 2)],
  ])('%s', (message, run) => {
    expect(run).toThrow(message);
  });
});
