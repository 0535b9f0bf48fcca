import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mul, nn, noGrad, optim, relu, sum, type Device, type Tensor } from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const list = async (tensor: Tensor | null | undefined): Promise<number[]> => [
  ...((await tensor?.data()) ?? []),
];

describe('what tracing looked at on the host', () => {
  it('train() and eval() between calls trace anew', async () => {
    const net = new nn.Dropout(0.999);
    const step = device.compile((x: Tensor) => net.forward(x));
    const ones = new Float32Array(64).fill(1);
    const total = async () => (await list(await step(ones))).reduce((a, b) => a + b, 0);
    net.eval();
    expect(await total()).toBe(64);
    net.train();
    expect(await total()).not.toBe(64);
    net.eval();
    expect(await total()).toBe(64);
    expect(step.traces).toBe(2);
    step.dispose();
  });

  it('train() inside is done at each call, and needs no second trace', async () => {
    const net = new nn.Dropout(0);
    const step = device.compile((x: Tensor) => net.train().forward(x));
    await step([1, 2]);
    net.eval();
    await step([1, 2]);
    expect(net.training).toBe(true);
    expect(step.traces).toBe(1);
    step.dispose();
  });

  it('requiresGrad and freezing trace anew', async () => {
    const net = new nn.Linear(2, 1, { bias: false }).to(device);
    const { tensor } = net.weight;
    const step = device.compile((x: Tensor) => {
      tensor.clearGrad();
      const loss = sum(mul(net.forward(x.reshape([1, 2])), 1));
      if (loss.requiresGrad) loss.backward();
    });
    await step([1, 2]);
    expect(await list(tensor.grad)).toEqual([1, 2]);
    net.requiresGrad_(false);
    await step([3, 4]);
    expect(tensor.grad).toBeNull();
    net.requiresGrad_(true);
    await step([5, 6]);
    expect(await list(tensor.grad)).toEqual([5, 6]);
    expect(step.traces).toBe(2);
    step.dispose();
  });

  it('noGrad around the call traces anew', async () => {
    const w = device.tensor([2], [1], { requiresGrad: true });
    const step = device.compile((x: Tensor) => {
      const loss = sum(mul(w, x));
      if (loss.requiresGrad) loss.backward();
      return loss;
    });
    await noGrad(() => ({ done: step([1]) })).done;
    expect(w.grad).toBeNull();
    await step([3]);
    expect(await list(w.grad)).toEqual([3]);
    step.dispose();
  });

  it('plans do not pile up where each call differs', async () => {
    const w = device.tensor([2], [1], { requiresGrad: true });
    const step = device.compile(() => {
      sum(w).backward();
    });
    const held: number[] = [];
    for (let i = 0; i < 40; i++) {
      w.grad = device.tensor([1]);
      await step();
      held.push(device.counters.bytesHeld);
    }
    expect(await list(w.grad)).toEqual([2]);
    expect(Math.max(...held.slice(20))).toBe(Math.max(...held.slice(0, 20)));
    step.dispose();
  });
});

describe('a trace that is not kept', () => {
  it('plan() leaves parameters that are returned, gradients and modes alone', async () => {
    const w = device.tensor([2, 3], [2], { requiresGrad: true });
    const net = new nn.Dropout(0.5);
    sum(w).backward();
    const step = device.compile((x: Tensor) => {
      net.eval();
      w.clearGrad();
      sum(mul(w, x)).backward();
      return w;
    });
    step.plan([[1, 1]]);
    expect(net.training).toBe(true);
    expect(await list(w.grad)).toEqual([1, 1]);
    expect(await list(w)).toEqual([2, 3]);
    await step([5, 6]);
    step.dispose();
    expect(await list(w)).toEqual([2, 3]);
    expect(await list(w.grad)).toEqual([5, 6]);
  });

  it('a function that throws leaves gradients as they were', async () => {
    const w = device.tensor([2, 3], [2], { requiresGrad: true });
    sum(w).backward();
    const failing = device.compile((x: Tensor): Tensor => {
      w.clearGrad();
      sum(mul(w, x)).backward();
      throw new Error('on purpose');
    });
    await expect(failing([7, 8])).rejects.toThrow('on purpose');
    expect(await list(w.grad)).toEqual([1, 1]);
    sum(w).backward();
    expect(await list(w.grad)).toEqual([2, 2]);
  });

  it('nor does one that cannot be planned', async () => {
    const w = device.tensor([2, 3], [2], { requiresGrad: true });
    const rows = Math.ceil(Math.sqrt(device.gpu.maxStorageBytes / 4)) + 64;
    const x = device.tensor(new Float32Array(rows), [rows, 1]);
    const failing = device.compile(() => {
      sum(w).backward();
      return x.matmul(x.reshape([1, rows]));
    });
    await expect(failing()).rejects.toThrow(/matmul \[\d+, \d+\] needs .* use a smaller batch/);
    expect(w.grad).toBeNull();
    sum(w).backward();
    expect(await list(w.grad)).toEqual([1, 1]);
  });

  it('backward through what was recorded outside is refused', async () => {
    const w = device.tensor([2, 3], [2], { requiresGrad: true });
    const loss = sum(mul(w, w));
    const step = device.compile(() => {
      loss.backward();
    });
    await expect(step()).rejects.toThrow('recorded outside of it');
    loss.backward();
    expect(await list(w.grad)).toEqual([4, 6]);
    step.dispose();
  });

  it('one compiled function inside another is refused in a sentence', async () => {
    const inner = device.compile((x: Tensor) => relu(x));
    let refused: Promise<unknown> | undefined;
    const outer = device.compile((x: Tensor) => {
      refused ??= expect(inner(x)).rejects.toThrow('call the plain function that it was made from');
      return x;
    });
    await outer([1]);
    await refused;
    inner.dispose();
    outer.dispose();
  });
});

describe('results and gradients that are overwritten', () => {
  it('detach() and reshape() of a result say so', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2));
    const first = await step([1, 2]);
    const [detached, seen, copy] = [first.detach(), first.reshape([2, 1]), first.clone()];
    expect(await list(seen)).toEqual([2, 4]);
    for (let i = 0; i < 4; i++) await step([7, 7]);
    for (const tensor of [first, detached, seen]) await expect(tensor.data()).rejects.toThrow('overwritten');
    expect(() => mul(seen, 2)).toThrow('overwritten');
    expect(await list(copy)).toEqual([2, 4]);
    step.dispose();
  });

  it('a read that was asked for before later calls gets what was there', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2));
    const first = await step([1, 2]);
    const read = list(first);
    const others = [1, 2, 3, 4, 5].map((i) => step([i, i]));
    expect(await read).toEqual([2, 4]);
    await Promise.all(others);
    step.dispose();
  });

  it('a gradient that was kept says so when a later backward takes its place', async () => {
    const w = device.tensor([2], [1], { requiresGrad: true });
    new optim.SGD([w], { lr: 1 });
    sum(w).backward();
    const kept = (w.grad as Tensor).detach();
    w.clearGrad();
    expect(await list(kept)).toEqual([1]);
    sum(mul(w, 5)).backward();
    await expect(kept.data()).rejects.toThrow('a later backward has overwritten');
    expect(await list(w.grad)).toEqual([5]);
  });
});
