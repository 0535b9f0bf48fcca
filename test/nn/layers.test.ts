import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manualSeed, nn, type Device } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const ramp = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
const names = (module: nn.Module) => [...module.namedTensors().keys()];

describe('layers', () => {
  it('have the shapes and names of PyTorch', () => {
    const conv = new nn.Conv2d(6, 8, [3, 5], { groups: 2 });
    expect([...conv.namedTensors()].map(([name, { shape }]) => [name, shape])).toEqual([
      ['weight', [8, 3, 3, 5]],
      ['bias', [8]],
    ]);
    expect(names(new nn.Conv2d(1, 1, 1, { bias: false }))).toEqual(['weight']);
    expect(names(new nn.BatchNorm2d(4))).toEqual(['weight', 'bias', 'running_mean', 'running_var']);
    expect(names(new nn.BatchNorm2d(4, { affine: false }))).toEqual(['running_mean', 'running_var']);
    expect(names(new nn.Sequential([new nn.ReLU(), new nn.Linear(2, 3)]))).toEqual(['1.weight', '1.bias']);
    expect(names(new nn.Sequential({ fc: new nn.Linear(2, 3) }))).toEqual(['fc.weight', 'fc.bias']);
    expect(() => new nn.Conv2d(6, 8, 3, { groups: 4 })).toThrow('4 groups do not divide 6 and 8 channels');
    expect(() => new nn.Dropout(1)).toThrow('p must be a number of at least 0 and below 1, got 1');
  });

  it('chain in a Sequential', async () => {
    const net = new nn.Sequential([
      new nn.Conv2d(2, 4, 3, { stride: 2, padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.LeakyReLU(0.1),
      new nn.Identity(),
      new nn.MaxPool2d(3, { stride: 1 }),
      new nn.AvgPool2d(2),
      new nn.AdaptiveAvgPool2d(1),
      new nn.Flatten(),
      new nn.Linear(4, 3),
    ]).to(device);
    const x = device.tensor(ramp(2 * 2 * 12 * 12), [2, 2, 12, 12]);
    const y = net.forward(x);
    expect(y.shape).toEqual([2, 3]);
    expect((await y.data()).every(Number.isFinite)).toBe(true);
    y.sum().backward();
    expect([...net.namedParameters()].filter(([, { grad }]) => grad === null)).toEqual([]);
  });

  it('compute what their parameters say', async () => {
    const linear = new nn.Linear(2, 1);
    linear.weight.set(Float32Array.of(2, 3));
    linear.bias?.set(Float32Array.of(10));
    const x = device.tensor([1, 1, -1, 2], [2, 2]);
    expect([...(await linear.to(device).forward(x).data())]).toEqual([15, 14]);
    const leaky = new nn.LeakyReLU(0.5).forward(x);
    expect([...(await leaky.data())]).toEqual([1, 1, -0.5, 2]);
  });

  it('follow train and eval: batch norm its statistics, dropout its mask', async () => {
    const norm = new nn.BatchNorm2d(1, { momentum: 0.5, eps: 0 }).to(device);
    const x = device.tensor([1, 3], [2, 1, 1, 1]);
    expect([...(await norm.forward(x).data())]).toEqual([-1, 1]);
    expect([...(await norm.runningMean.read())]).toEqual([1]);
    expect([...(await norm.runningVar.read())]).toEqual([1.5]); // half of 1 and half of the unbiased 2
    const evaluated = await norm.eval().forward(x).data();
    expect([...evaluated].map((y) => y * Math.sqrt(1.5))).toEqual([0, expect.closeTo(2, 6)]);
    expect([...(await norm.runningMean.read())]).toEqual([1]);

    manualSeed(3);
    const dropout = new nn.Dropout(0.25);
    const ones = device.tensor(new Float32Array(10_000).fill(3));
    const kept = await dropout.forward(ones).data();
    expect(new Set(kept)).toEqual(new Set([0, 4]));
    expect(kept.filter((y) => y === 0).length / 10_000).toBeCloseTo(0.25, 1);
    expect(dropout.eval().forward(ones)).toBe(ones);
  });
});
