import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manualSeed, nn, optim, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

let device: Device;
let parameter: Tensor;
beforeAll(async () => {
  device = await testDevice();
  parameter = device.tensor([1, 2], [2], { requiresGrad: true });
});
afterAll(() => device.destroy());

/** What JavaScript lets through though the types do not. */
const wrong = (value: unknown) => value as never;

describe('layers', () => {
  it.each<[() => unknown, string]>([
    [
      () => new nn.Conv2d(3, 8, 3, wrong({ strides: 2 })),
      "Conv2d has no option 'strides': did you mean 'stride'?",
    ],
    [
      () => new nn.Conv2d(3, 8, wrong(undefined)),
      'Conv2d: kernelSize must be an integer of at least 1, or two',
    ],
    [() => new nn.Conv2d(3, 8, 3, wrong(1)), 'Conv2d takes options as an object with stride, padding, dilation, groups, bias and init, got 1'], // prettier-ignore
    [() => new nn.Conv2d(3, 8, 3, { stride: 0 }), 'Conv2d: stride must be an integer of at least 1'],
    [() => new nn.Conv2d(3, 8, 3, wrong({ padding: 'same' })), "Conv2d takes padding in numbers, got 'same'"],
    [() => new nn.Conv2d(3, 8, 3, wrong({ bias: 0 })), 'Conv2d: bias must be true or false, got 0'],
    [() => new nn.Conv2d(0, 8, 3), 'Conv2d: inChannels must be an integer of at least 1, got 0'],
    [() => new nn.Conv2d(3, wrong('8'), 3), "Conv2d: outChannels must be an integer of at least 1, got '8'"],
    [
      () => new nn.Linear(10, wrong(undefined)),
      'Linear: outFeatures must be an integer of at least 1, got undefined',
    ],
    [
      () => new nn.Linear(10, 5, wrong(false)),
      'Linear takes options as an object with bias and init, got false',
    ],
    [() => new nn.BatchNorm2d(8, wrong({ momentun: 1 })), "BatchNorm2d has no option 'momentun': did you mean 'momentum'?"], // prettier-ignore
    [
      () => new nn.BatchNorm2d(8, { momentum: 1.5 }),
      'BatchNorm2d: momentum must be a number of 0 to 1, or null',
    ],
    [() => new nn.BatchNorm2d(0.5), 'BatchNorm2d: channels must be an integer of at least 1, got 0.5'],
    [() => new nn.MaxPool2d(2, wrong(2)), 'MaxPool2d takes options after kernelSize as an object'],
    [() => new nn.AvgPool2d(wrong(undefined)), 'AvgPool2d needs kernelSize'],
    [() => new nn.AdaptiveAvgPool2d(0), 'AdaptiveAvgPool2d: outputSize must be an integer of at least 1'],
    [() => new nn.Dropout(Number.NaN), 'Dropout: p must be a number of at least 0 and below 1, got NaN'],
    [() => new nn.LeakyReLU(wrong('0.1')), "LeakyReLU: negativeSlope must be a number, got '0.1'"],
    [
      () => new nn.Flatten(wrong({ start_dim: 2 })),
      "Flatten has no option 'start_dim': did you mean 'startDim'?",
    ],
    [() => new nn.Sequential(wrong(Math.max)), 'Sequential takes layers, got the function max'],
    [
      () => new nn.Sequential([new nn.ReLU(), wrong(Math.max)]),
      'Sequential: 1 is the function max, which is no layer',
    ],
    [
      () => new nn.Sequential(new nn.ReLU(), wrong([new nn.ReLU()])),
      'Sequential: 1 is [a ReLU], which is no layer',
    ],
    [
      () => new nn.Sequential({ a: new nn.ReLU(), 0: new nn.ReLU() }),
      'Sequential: the key 0 looks like an integer',
    ],
    [() => nn.init.normal(-1), 'normal: std must be a number of at least 0, got -1'],
    [() => nn.init.uniform(Number.NaN), 'uniform: the bound must be a number of at least 0, got NaN'],
    [() => nn.init.heNormal([3], 1), 'a fan in needs two dimensions or more, the shape is [3]'],
  ])('refuse what they do not take: %s', (call, message) => {
    expect(call).toThrow(message);
  });

  it('take options alone or by name', async () => {
    const data = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
    const x = device.tensor(data, [1, 2, 4, 4]);
    const pairs: [nn.Layer, nn.Layer][] = [
      [new nn.MaxPool2d(2, { stride: 1 }), new nn.MaxPool2d({ kernelSize: 2, stride: 1 })],
      [new nn.AvgPool2d(2), new nn.AvgPool2d({ kernelSize: 2 })],
      [new nn.AdaptiveAvgPool2d(2), new nn.AdaptiveAvgPool2d({ outputSize: 2 })],
      [new nn.LeakyReLU(0.3), new nn.LeakyReLU({ negativeSlope: 0.3 })],
      [new nn.Flatten(2), new nn.Flatten({ startDim: 2 })],
      [new nn.Sequential(new nn.ReLU(), new nn.Flatten()), new nn.Sequential([new nn.ReLU(), new nn.Flatten()])], // prettier-ignore
    ];
    for (const [a, b] of pairs) {
      expect(a.forward(x).shape).toEqual(b.forward(x).shape);
      expect(await a.forward(x).data()).toEqual(await b.forward(x).data());
    }
    expect(new nn.Dropout({ p: 0.2 }).p).toBe(0.2);
    expect(new nn.Flatten(2).forward(x).shape).toEqual([1, 2, 16]);
    expect(new nn.Flatten({ endDim: 2 }).forward(x).shape).toEqual([1, 8, 4]);
    expect(new nn.Sequential().forward(x)).toBe(x);
    expect([...new nn.Sequential(new nn.ReLU(), new nn.Linear(2, 1)).namedTensors().keys()]).toEqual(['1.weight', '1.bias']); // prettier-ignore
  });
});

describe('BatchNorm2d with momentum null', () => {
  const batches = [1, 2, 3, 4, 5].map((k) =>
    Float32Array.from({ length: 24 }, (_, i) => Math.sin(k * (i + 1)) * k),
  );

  /** Average over the batches of the mean and the unbiased variance of channel 0 or 1 of [3, 2, 2, 2]. */
  function averages(of: readonly Float32Array[], channel: number): [number, number] {
    const each = of.map((batch) => {
      const values = [...batch].filter((_, i) => Math.floor(i / 4) % 2 === channel);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
      return [mean, variance] as const;
    });
    return [0, 1].map((k) => each.reduce((sum, pair) => sum + (pair[k] ?? 0), 0) / each.length) as [
      number,
      number,
    ];
  }

  async function expectAverages(norm: nn.BatchNorm2d, of: readonly Float32Array[]): Promise<void> {
    const [means, variances] = [await norm.runningMean.read(), await norm.runningVar.read()];
    for (const channel of [0, 1]) {
      const [mean, variance] = averages(of, channel);
      expect(means[channel]).toBeCloseTo(mean, 6);
      expect(variances[channel]).toBeCloseTo(variance, 5);
    }
    expect(await norm.numBatchesTracked?.read()).toEqual(Float32Array.of(of.length));
  }

  const input = (batch: Float32Array) => device.tensor(batch, [3, 2, 2, 2]);

  it('keeps the averages of all batches', async () => {
    const norm = new nn.BatchNorm2d(2, { momentum: null }).to(device);
    for (const batch of batches.slice(0, 3)) norm.forward(input(batch));
    await expectAverages(norm, batches.slice(0, 3));
    const y = await norm
      .eval()
      .forward(input(batches[3] ?? new Float32Array(24)))
      .data();
    const [mean, variance] = averages(batches.slice(0, 3), 0);
    expect(y[0]).toBeCloseTo(((batches[3]?.[0] ?? 0) - mean) / Math.sqrt(variance + 1e-5), 5);
    await expectAverages(norm, batches.slice(0, 3));
  });

  it.each([true, false])('also when it is compiled and replayed, fused: %s', async (fusion) => {
    const own = await testDevice({ fusion });
    manualSeed(1);
    const conv = new nn.Conv2d(2, 2, 1, { bias: false, init: () => Float32Array.of(1, 0, 0, 1) });
    const norm = new nn.BatchNorm2d(2, { momentum: null });
    const net = new nn.Sequential(conv, norm, new nn.ReLU()).to(own);
    const sgd = new optim.SGD(net.parameters(), { lr: 0 });
    const step = own.compile((x) => {
      sgd.zeroGrad();
      const loss = net.forward(x).sum();
      loss.backward();
      sgd.step();
      return loss;
    });
    for (const data of batches) await step({ data, shape: [3, 2, 2, 2] });
    expect(step.traces).toBe(1);
    await expectAverages(norm, batches);
    await own.destroy();
  });

  it('goes on from a state dict, which counts the batches as PyTorch does', async () => {
    const before = new nn.BatchNorm2d(2, { momentum: null }).to(device);
    for (const batch of batches.slice(0, 2)) before.forward(input(batch));
    const state = await before.stateDict();
    expect([...state.keys()]).toEqual([
      'weight',
      'bias',
      'running_mean',
      'running_var',
      'num_batches_tracked',
    ]);
    expect(state.get('num_batches_tracked')).toEqual({ shape: [], data: Float32Array.of(2) });
    const after = new nn.BatchNorm2d(2, { momentum: null }).to(device);
    after.loadStateDict(new Map(state).set('num_batches_tracked', { shape: [], data: Int32Array.of(2) }));
    for (const batch of batches.slice(2)) after.forward(input(batch));
    await expectAverages(after, batches);
    expect(() => new nn.BatchNorm2d(2).loadStateDict(state)).not.toThrow();
    state.delete('num_batches_tracked');
    expect(() => after.loadStateDict(state)).toThrow('missing num_batches_tracked');
  });
});

describe('optimisers', () => {
  const { Adam, AdamW, SGD } = optim;

  it.each<[() => unknown, string]>([
    [
      () => new SGD([parameter], wrong(undefined)),
      'SGD needs a learning rate: new SGD(parameters, { lr: 0.1 })',
    ],
    [() => new SGD([parameter], wrong({})), 'SGD needs lr, a number'],
    [() => new SGD([parameter], wrong(0.1)), 'SGD takes options as an object with lr, momentum, nesterov and weightDecay, got 0.1'], // prettier-ignore
    [
      () => new SGD([parameter], wrong({ lr: 0.1, dampening: 0.5 })),
      "SGD has no option 'dampening': it takes lr",
    ],
    [() => new SGD([parameter], { lr: 0.1, momentum: -1 }), 'momentum must lie in [0, 1), got -1'],
    [
      () => new SGD([parameter], { lr: 0.1, weightDecay: -1 }),
      'SGD: weightDecay must be a number of at least 0, got -1',
    ],
    [() => new SGD([parameter], { lr: Number.NaN }), 'SGD: lr must be a number, got NaN'],
    [
      () => new Adam([parameter], wrong(1e-3)),
      'Adam takes options as an object with lr, betas, eps and weightDecay, got 0.001',
    ],
    [
      () => new Adam([parameter], wrong({ weight_decay: 1 })),
      "Adam has no option 'weight_decay': did you mean 'weightDecay'?",
    ],
    [
      () => new Adam([parameter], wrong({ learning_rate: 1 })),
      "Adam has no option 'learning_rate': did you mean 'lr'?",
    ],
    [() => new Adam([parameter], { lr: Number.NaN }), 'Adam: lr must be a number, got NaN'],
    [() => new Adam([parameter], { lr: Infinity }), 'Adam: lr must be a number, got Infinity'],
    [() => new Adam([parameter], wrong({ lr: '1e-3' })), "Adam: lr must be a number, got '1e-3'"],
    [() => new Adam([parameter], wrong({ betas: [0.9] })), 'Adam: betas must be two numbers, got [0.9]'],
    [() => new Adam([parameter], { betas: [Number.NaN, 0.9] }), 'betas must lie in [0, 1), got NaN, 0.9'],
    [() => new Adam([parameter], { eps: 0 }), 'eps must be positive, got 0'],
    [
      () => new Adam([parameter], { weightDecay: -1 }),
      'Adam: weightDecay must be a number of at least 0, got -1',
    ],
    [() => new AdamW([parameter], wrong({ amsgrad: true })), "AdamW has no option 'amsgrad': it takes lr"],
    [() => new Adam(wrong([{ params: [parameter], lr: 1 }])), 'Adam does not take parameter groups: make an optimiser for each, new Adam(params, options)'], // prettier-ignore
    [() => new AdamW(wrong(new nn.Linear(1, 1))), 'AdamW takes an array of tensors, as net.parameters() gives, got a Linear'], // prettier-ignore
    [
      () => new SGD(wrong([new nn.Linear(1, 1).weight]), { lr: 1 }),
      'SGD: parameter 0 is a Parameter, which is no tensor',
    ],
    [
      () => optim.stepDecay(0.1, wrong({ step_size: 3 })),
      "stepDecay has no option 'step_size': it takes every and gamma",
    ],
    [() => optim.cosine(0.1, wrong({})), 'cosine needs length, a number'],
    [
      () => optim.cosine(0.1, { length: 1, minLr: -1 }),
      'cosine: minLr must be a number of at least 0, got -1',
    ],
    [
      () => optim.cosineWarmRestarts(Number.NaN),
      'cosineWarmRestarts: lr must be a number of at least 0, got NaN',
    ],
    [() => optim.constant(-1), 'constant: lr must be a number of at least 0, got -1'],
  ])('refuse what they do not take: %s', (call, message) => {
    expect(call).toThrow(message);
  });

  it('decay in AdamW as it says, with the option given or not', async () => {
    const decayed = async (weightDecay?: number): Promise<number> => {
      const p = device.tensor([1], [1], { requiresGrad: true });
      const adam = new AdamW([p], { lr: 0.5, ...(weightDecay !== undefined && { weightDecay }) });
      p.mul(0).sum().backward();
      adam.step();
      return p.item();
    };
    expect(await decayed()).toBeCloseTo(1 - 0.5 * 0.01, 6);
    expect(await decayed(0.2)).toBeCloseTo(0.9, 6);
  });
});
