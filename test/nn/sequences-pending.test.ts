import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { matmul, mul, optim, sum, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

/*
 * What happens to tensors while work on them is recorded or under way: the work sees them as they were when it was recorded, as
 * in PyTorch, where it has run by then.
 */
let device: Device;
let p: Tensor;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());
beforeEach(() => (p = device.tensor([1, 2], [2], { requiresGrad: true })));

const values = async (tensor: Tensor | null): Promise<number[]> => [...((await tensor?.data()) ?? [])];

/** Work of somebody else on the same device. */
const bystander = (): Tensor => mul(device.tensor([1, 2]), 3);

describe('recorded work', () => {
  it('is not lost when an optimiser is made', async () => {
    const y = mul(p, 10);
    const sgd = new optim.SGD([p], { lr: 1 });
    expect(await values(y)).toEqual([10, 20]);
    expect(await values(p)).toEqual([1, 2]);
    sgd.dispose();
  });

  it('that makes a gradient is not lost when an optimiser is made', async () => {
    sum(mul(p, 3)).backward();
    const y = bystander();
    const sgd = new optim.SGD([p], { lr: 1 });
    expect(await values(p.grad)).toEqual([3, 3]);
    sgd.step();
    expect(await values(p)).toEqual([-2, -1]);
    expect(await values(y)).toEqual([3, 6]);
    sgd.dispose();
  });

  it('that makes a gradient does not hurt others when its optimiser is disposed', async () => {
    const sgd = new optim.SGD([p], { lr: 1 });
    sum(mul(p, 3)).backward();
    const y = bystander();
    sgd.dispose();
    expect(await values(y)).toEqual([3, 6]);
    expect(await values(p)).toEqual([1, 2]);
  });

  it('of a step is done when its optimiser and its parameter are disposed', async () => {
    const sgd = new optim.SGD([p], { lr: 1 });
    sum(mul(p, 3)).backward();
    sgd.step();
    const y = mul(p, 10);
    sgd.dispose();
    p.dispose();
    expect(await values(y)).toEqual([-20, -10]);
  });
});

describe('a compiled step under way', () => {
  it('is done when its optimiser is disposed', async () => {
    const sgd = new optim.SGD([p], { lr: 1 });
    const step = device.compile(() => {
      const loss = sum(mul(p, 3));
      loss.backward();
      sgd.step();
      return loss;
    });
    const loss = step();
    const y = bystander();
    sgd.dispose();
    step.dispose();
    await loss;
    expect(await values(p)).toEqual([-2, -1]);
    expect(await values(y)).toEqual([3, 6]);
  });

  it('that fails while it is traced leaves the device usable', async () => {
    const sgd = new optim.SGD([p], { lr: 1 });
    const failing = device.compile((x: Tensor): Tensor => {
      sum(mul(p, 3)).backward();
      sgd.step();
      return matmul(x, x.reshape([3, 1]));
    });
    await expect(failing({ data: new Float32Array(4), shape: [2, 2] })).rejects.toThrow('reshape');
    const y = bystander();
    sum(mul(p, 2)).backward();
    sgd.step();
    expect(await values(p)).toEqual([-1, 0]);
    expect(await values(y)).toEqual([3, 6]);
    sgd.dispose();
  });
});
