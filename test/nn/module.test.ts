import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heNormal, ones, zeros } from '../../src/nn/init.ts';
import { Module } from '../../src/nn/module.ts';
import { Parameter, Statistic } from '../../src/nn/parameter.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import { manualSeed } from '../../src/tensor/graph/random.ts';
import type { Device } from '../../src/tensor/device.ts';
import { testDevice } from '../support/engine.ts';

class Leaf extends Module {
  readonly weight = new Parameter([2, 3], heNormal);
  readonly bias: Parameter | null;
  readonly runningMean = new Statistic([3], zeros);
  constructor(bias = true) {
    super();
    this.bias = bias ? new Parameter([3], ones) : null;
  }
}

class Net extends Module {
  readonly firstLayer = new Leaf();
  readonly blocks = [new Leaf(false), new Leaf()];
  readonly scale = new Parameter([1], ones);
  readonly title = 'not a tensor';
}

const NAMES = [
  'scale',
  'first_layer.weight',
  'first_layer.bias',
  'first_layer.running_mean',
  'blocks.0.weight',
  'blocks.0.running_mean',
  'blocks.1.weight',
  'blocks.1.bias',
  'blocks.1.running_mean',
];

describe('Module in host memory', () => {
  it('finds parameters, statistics, modules and arrays of modules, in order, named as PyTorch does', async () => {
    const net = new Net();
    expect([...(await net.stateDict()).keys()]).toEqual(NAMES);
    expect(net.modules()).toHaveLength(4);
    expect(net.parameterCount()).toBe(1 + 3 * 6 + 2 * 3);
  });

  it('counts a shared parameter once', () => {
    class Tied extends Module {
      readonly a = new Parameter([4], ones);
      readonly b = this.a;
    }
    expect(new Tied().parameterCount()).toBe(4);
    expect([...new Tied().namedTensors().keys()]).toEqual(['a', 'b']);
  });

  it('draws initial weights from manualSeed, whatever is moved or read first', async () => {
    manualSeed(11);
    const [a, b] = [new Leaf(), new Leaf()];
    const late = (await b.stateDict()).get('weight')?.data;
    manualSeed(11);
    const [c, d] = [new Leaf(), new Leaf()];
    expect((await c.stateDict()).get('weight')?.data).toEqual((await a.stateDict()).get('weight')?.data);
    expect((await d.stateDict()).get('weight')?.data).toEqual(late);
    expect((await c.stateDict()).get('weight')?.data).not.toEqual(late);
    manualSeed(12);
    expect((await new Leaf().stateDict()).get('weight')?.data).not.toEqual(
      (await a.stateDict()).get('weight')?.data,
    );
  });

  it('switches modes of all within', () => {
    const net = new Net().eval();
    expect(net.modules().map(({ training }) => training)).toEqual([false, false, false, false]);
    expect(
      net
        .train()
        .modules()
        .every(({ training }) => training),
    ).toBe(true);
  });

  it('says what to do when it is used before it is moved', () => {
    expect(() => new Net().parameters()).toThrow('call model.to(device) before use');
  });

  it('loads what it saved, and a copy of it', async () => {
    const [from, to] = [new Net(), new Net()];
    const dict = await from.stateDict();
    expect(to.loadStateDict(dict)).toEqual({ missing: [], unexpected: [] });
    dict.get('scale')?.data.fill(99);
    expect((await to.stateDict()).get('scale')?.data).toEqual(Float32Array.of(1));
    expect((await to.stateDict()).get('blocks.1.weight')).toEqual(dict.get('blocks.1.weight'));
  });

  it('lists everything that does not fit, and changes nothing then', async () => {
    const net = new Net();
    const before = await net.stateDict();
    const dict = new Map<string, HostTensor>(before);
    dict.delete('scale');
    dict.delete('blocks.0.weight');
    dict.set('classifier.weight', { shape: [1], data: new Float32Array(1) });
    dict.set('first_layer.weight', { shape: [3, 2], data: new Float32Array(6) });
    dict.set('first_layer.bias', { shape: [3], data: new Float32Array(2) });
    dict.set('blocks.1.bias', { shape: [3], data: new Float32Array(3).fill(7) });
    expect(() => net.loadStateDict(dict)).toThrow(
      new RangeError(
        'the state dict does not fit this Net: missing scale, blocks.0.weight; unexpected classifier.weight; ' +
          'wrong shape: first_layer.weight is [3, 2] there and [2, 3] here, first_layer.bias has 2 elements instead of 3',
      ),
    );
    expect(await net.stateDict()).toEqual(before);
    expect(() => net.loadStateDict(dict, { strict: false })).toThrow('first_layer.weight is [3, 2] there');
  });

  it('without strict it takes what fits and says what did not', async () => {
    const net = new Net();
    const report = net.loadStateDict(
      new Map([
        ['scale', { shape: [1], data: Float32Array.of(5) }],
        ['other', { shape: [1], data: Float32Array.of(5) }],
      ]),
      { strict: false },
    );
    expect(report).toEqual({ missing: NAMES.slice(1), unexpected: ['other'] });
    expect((await net.stateDict()).get('scale')?.data).toEqual(Float32Array.of(5));
  });

  it("ignores PyTorch's count of batches", async () => {
    const net = new Net();
    const dict = new Map<string, HostTensor>(await net.stateDict());
    dict.set('first_layer.num_batches_tracked', { shape: [], data: Int32Array.of(3) });
    dict.set('num_batches_tracked', { shape: [], data: Int32Array.of(3) });
    expect(net.loadStateDict(dict)).toEqual({ missing: [], unexpected: [] });
  });
});

describe('Module on a device', () => {
  let device: Device;
  beforeAll(async () => (device = await testDevice()));
  afterAll(() => device.destroy());

  it('keeps its elements when moved, and takes new ones in place', async () => {
    const net = new Net();
    const before = await net.stateDict();
    expect(net.to(device)).toBe(net);
    expect(await net.stateDict()).toEqual(before);
    const parameter = net.namedParameters().get('blocks.1.bias');
    expect(parameter?.requiresGrad).toBe(true);
    const changed = new Map(before).set('blocks.1.bias', { shape: [3], data: Float32Array.of(4, 5, 6) });
    net.loadStateDict(changed);
    expect(net.to(device).namedParameters().get('blocks.1.bias')).toBe(parameter);
    expect(await parameter?.data()).toEqual(Float32Array.of(4, 5, 6));
    expect([...net.namedBuffers().keys()]).toEqual(NAMES.filter((name) => name.endsWith('running_mean')));
    net.dispose();
  });

  it('outlives the scope it was moved in', async () => {
    const net = new Leaf();
    device.scope(() => {
      net.to(device);
    });
    expect(await net.bias?.tensor.data()).toEqual(Float32Array.of(1, 1, 1));
    net.dispose();
  });

  it('freezes parameters before and after the move', () => {
    const net = new Net();
    net.firstLayer.requiresGrad_(false);
    net.to(device);
    const frozen = () =>
      [...net.namedParameters()].filter(([, { requiresGrad }]) => !requiresGrad).map(([name]) => name);
    expect(frozen()).toEqual(['first_layer.weight', 'first_layer.bias']);
    net.requiresGrad_(true);
    expect(frozen()).toEqual([]);
    net.dispose();
  });

  it('gives its memory back', async () => {
    await device.sync();
    const before = device.counters.bytesHeld;
    const net = new Net().to(device);
    net.dispose();
    await device.sync();
    expect(device.counters.bytesHeld).toBe(before);
    expect(() => net.parameters()[0]?.value).toThrow('was disposed');
  });
});
