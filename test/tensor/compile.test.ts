import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  manualSeed,
  matmul,
  mean,
  noGrad,
  relu,
  dropout,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import { SGD } from '../../src/nn/optim/index.ts';
import { testDevice } from '../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const ramp = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, (_, i) => scale * Math.sin(i + 1));

describe('compile', () => {
  it('replays what was recorded, on new inputs', async () => {
    const w = device.tensor(ramp(12), [3, 4]);
    const step = device.compile((x: Tensor) => noGrad(() => relu(matmul(x, w))));
    for (const scale of [1, -2, 0.5]) {
      const x = ramp(6, scale);
      const eager = await relu(matmul(device.tensor(x, [2, 3]), w)).data();
      const result = await step({ data: x, shape: [2, 3] });
      expect([...(await result.data())]).toEqual([...eager]);
      const fromTensor = await step(device.tensor(x, [2, 3]));
      expect([...(await fromTensor.data())]).toEqual([...eager]);
    }
    expect(step.traces).toBe(1);
    await step({ data: ramp(9), shape: [3, 3] });
    expect(step.traces).toBe(2);
    step.dispose();
  });

  it('creates nothing after the second call and submits once', async () => {
    const w = device.tensor(ramp(64), [8, 8], { requiresGrad: true });
    new SGD([w], { lr: 1 });
    const step = device.compile((x: Tensor) => {
      w.clearGrad();
      const loss = mean(relu(matmul(x, w)));
      loss.backward();
      return loss;
    });
    const input = { data: ramp(40), shape: [5, 8] };
    await (await step(input)).item();
    await (await step(input)).item();
    const before = device.counters;
    for (let i = 0; i < 200; i++) await step(input);
    const after = device.counters;
    expect(after.buffersCreated - before.buffersCreated).toBe(0);
    expect(after.bindGroupsCreated - before.bindGroupsCreated).toBe(0);
    expect(after.pipelinesCreated - before.pipelinesCreated).toBe(0);
    expect(after.bytesHeld).toBe(before.bytesHeld);
    expect(after.submits - before.submits).toBe(200);
    step.dispose();
  });

  it('accumulates gradients where nobody clears them, as eager code does', async () => {
    const w = device.tensor([1, 2, 3], [3], { requiresGrad: true });
    const step = device.compile((x: Tensor) => {
      const loss = mean(x.mul(w));
      loss.backward();
      return loss;
    });
    const x = { data: Float32Array.of(3, 6, 9), shape: [3] };
    for (const times of [1, 2, 3, 4]) {
      await step(x);
      expect([...((await w.grad?.data()) ?? [])]).toEqual([times, 2 * times, 3 * times]);
    }
    expect(step.traces).toBe(2);
    step.dispose();
  });

  it('keeps the results of recent calls apart, and says when one is too old', async () => {
    const step = device.compile((x: Tensor) => x.mul(2));
    const results: Tensor[] = [];
    for (let i = 0; i < 5; i++) results.push(await step({ data: Float32Array.of(i), shape: [1] }));
    for (const i of [1, 2, 3, 4]) expect(await results[i]?.item()).toBe(2 * i);
    await expect(results[0]?.item()).rejects.toThrow('overwritten');
    step.dispose();
  });

  it('takes its own results and those of others as inputs, and gives what it was given', async () => {
    const twice = device.compile((x: Tensor) => {
      const y = x.mul(2);
      return { y, flat: y.reshape([4]), x, sum: y.sum() };
    });
    const more = device.compile((x: Tensor, z: Tensor) => ({ both: x.add(z), x, z }));
    let x: Tensor = device.tensor([1, 2, 3, 4], [2, 2]);
    let want = [1, 2, 3, 4];
    const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
    for (let i = 0; i < 9; i++) {
      const results = await twice(x);
      const sums = await more(results.y, results.x);
      const doubled = want.map((value) => 2 * value);
      expect(await list(results.y)).toEqual(doubled);
      expect(await list(results.flat)).toEqual(doubled);
      expect(await list(results.x)).toEqual(want);
      expect(await results.sum.item()).toBe(2 * want.reduce((sum, value) => sum + value));
      expect(await list(sums.both)).toEqual(want.map((value) => 3 * value));
      expect(await list(sums.x)).toEqual(doubled);
      expect(await list(sums.z)).toEqual(want);
      x = results.y;
      want = doubled;
    }
    // Results that are caught rather than given.
    const { y, flat } = await twice([1, 2, 3, 4]);
    const caught = device.compile(() => ({ y, flat, sum: y.add(1) }));
    for (let i = 0; i < 6; i++) {
      const results = await caught();
      expect(await list(results.y)).toEqual([2, 4, 6, 8]);
      expect(await list(results.flat)).toEqual([2, 4, 6, 8]);
      expect(await list(results.sum)).toEqual([3, 5, 7, 9]);
    }
    for (const step of [twice, more, caught]) step.dispose();
  });

  it('draws new random numbers in each call, the same ones for the same seed', async () => {
    const step = device.compile((x: Tensor) => dropout(x, { p: 0.5, training: true }));
    const x = { data: new Float32Array(64).fill(1), shape: [64] };
    const run = async () => {
      manualSeed(7);
      return [[...(await (await step(x)).data())], [...(await (await step(x)).data())]];
    };
    const [first, second] = await run();
    expect(first).not.toEqual(second);
    expect(await run()).toEqual([first, second]);
    step.dispose();
  });

  it('refuses to read inside, and a throwing function leaves the device usable', async () => {
    let read: Promise<unknown> | undefined;
    const step = device.compile((x: Tensor) => {
      read ??= expect(x.data()).rejects.toThrow('cannot read or flush while it is traced');
      return x;
    });
    expect(await (await step({ data: Float32Array.of(1), shape: [1] })).item()).toBe(1);
    await read;
    const failing = device.compile((x: Tensor): Tensor => {
      matmul(x, x);
      throw new Error('on purpose');
    });
    await expect(failing({ data: new Float32Array(4), shape: [2, 2] })).rejects.toThrow('on purpose');
    expect(await device.tensor([4]).item()).toBe(4);
  });
});

describe('memory', () => {
  it('gives everything back: a scope and disposed tensors leave no bytes', async () => {
    const held = async () => {
      await device.sync();
      return device.counters.bytesHeld;
    };
    const work = async () => {
      const result = device.scope(() =>
        relu(matmul(device.tensor(ramp(10000), [100, 100]), device.tensor(ramp(10000), [100, 100]))),
      );
      await result.data();
      result.dispose();
    };
    await work();
    const before = await held();
    for (let i = 0; i < 20; i++) await work();
    expect(await held()).toBeLessThanOrEqual(before);
  });

  it('names the tensor that no binding can hold', async () => {
    const limit = device.gpu.maxStorageBytes;
    const rows = Math.floor(Math.sqrt(limit / 4)) + 64;
    const x = device.tensor(ramp(rows), [rows, 1]);
    await expect(matmul(x, x.reshape([1, rows])).data()).rejects.toThrow(
      /matmul \[\d+, \d+\] needs .* at most .* use a smaller batch/,
    );
  });

  it('says what a disposed tensor was', () => {
    const x = device.tensor([1, 2]);
    x.dispose();
    expect(() => relu(x)).toThrow('this tensor of shape [2] was disposed');
  });
});
