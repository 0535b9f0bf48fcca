import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DENSENET161,
  DenseNet,
  DenseNetExtractor,
  type DenseNetConfig,
} from '../../src/avsc/models/densenet.ts';
import { Fcnn, type FcnnConfig } from '../../src/avsc/models/fcnn.ts';
import { AudioNet, JointNet, VideoNet } from '../../src/avsc/models/joint.ts';
import { preset, PRESET_NAMES, scheduleOf } from '../../src/avsc/experiment/presets.ts';
import { noGrad, sum, type Device } from '../../src/index.ts';
import type { Module } from '../../src/nn/module.ts';
import { testDevice } from '../support/engine.ts';
import { uniform } from '../support/hash.ts';

const keys = (module: Module): string[] => [...module.namedTensors().keys()];
const shapeOf = (module: Module, key: string) => module.namedTensors().get(key)?.shape;

describe('FCNN', () => {
  it('has the parameters of the published net, in PyTorch 12,343,084 with 512 features', () => {
    expect(new Fcnn({ features: 512 }).parameterCount()).toBe(12_343_084);
    expect(new Fcnn({ features: 10 }).parameterCount()).toBe(11_791_135);
  });

  it('has the keys of tools/nets.py', () => {
    const net = new Fcnn({ features: 10 });
    expect(keys(net).slice(0, 4)).toEqual([
      'norm0.weight',
      'norm0.bias',
      'norm0.running_mean',
      'norm0.running_var',
    ]);
    expect(keys(net).filter((key) => key.startsWith('block4') || key.startsWith('norm_out'))).toEqual([
      'block4.conv1.weight',
      'block4.norm1.running_mean',
      'block4.norm1.running_var',
      'norm_out.running_mean',
      'norm_out.running_var',
    ]);
    expect(shapeOf(net, 'block1.conv1.weight')).toEqual([144, 6, 5, 5]);
    expect(shapeOf(net, 'block3.conv4.weight')).toEqual([576, 576, 3, 3]);
    expect(shapeOf(net, 'attention.fc1.weight')).toEqual([5, 10]);
    expect(shapeOf(net, 'attention.fc2.bias')).toEqual([10]);
  });

  it('can be the published small net, 234,166 numbers with its running statistics', () => {
    const net = new Fcnn({ features: 3, widths: [36, 72, 96], block3Convs: 2, block3LastPadding: 2 });
    expect([...net.namedTensors().values()].reduce((sum, { numel }) => sum + numel, 0)).toBe(234_166);
  });

  it('refuses sizes that make no net', () => {
    expect(() => new Fcnn({ features: 1 })).toThrow('at least 2 features');
    expect(() => new Fcnn({ features: 8, block3Convs: 0 })).toThrow('1 conv in block 3');
  });
});

describe('DenseNet', () => {
  it('has the parameters of DenseNet161', () => {
    expect(new DenseNet(DENSENET161, 365).parameterCount()).toBe(27_278_285);
    expect(new DenseNet(DENSENET161, 1000).parameterCount()).toBe(28_681_000);
    const extractor = new DenseNetExtractor(DENSENET161);
    expect(extractor.outFeatures).toBe(2208);
    expect(extractor.parameterCount()).toBe(26_472_000);
  });

  it("has torchvision's keys", () => {
    const net = new DenseNet({ growthRate: 4, blocks: [1, 2], stem: 8 }, 3);
    expect(keys(net).filter((key) => key.endsWith('.weight'))).toEqual([
      'features.conv0.weight',
      'features.norm0.weight',
      'features.denseblock1.denselayer1.norm1.weight',
      'features.denseblock1.denselayer1.conv1.weight',
      'features.denseblock1.denselayer1.norm2.weight',
      'features.denseblock1.denselayer1.conv2.weight',
      'features.transition1.norm.weight',
      'features.transition1.conv.weight',
      'features.denseblock2.denselayer1.norm1.weight',
      'features.denseblock2.denselayer1.conv1.weight',
      'features.denseblock2.denselayer1.norm2.weight',
      'features.denseblock2.denselayer1.conv2.weight',
      'features.denseblock2.denselayer2.norm1.weight',
      'features.denseblock2.denselayer2.conv1.weight',
      'features.denseblock2.denselayer2.norm2.weight',
      'features.denseblock2.denselayer2.conv2.weight',
      'features.norm5.weight',
      'classifier.weight',
    ]);
    expect(shapeOf(net, 'features.denseblock2.denselayer2.conv1.weight')).toEqual([16, 10, 1, 1]);
    expect(() => new DenseNet({ growthRate: 3, blocks: [1, 1], stem: 8 }, 3)).toThrow(
      'block 1 has 11 channels',
    );
  });
});

describe('the nets of the small preset', () => {
  const { imageSize, nets: small } = preset('small');
  const audio = small['fcnn']?.options as FcnnConfig;
  const video = small['densenet']?.options as DenseNetConfig;
  let device: Device;
  beforeAll(async () => (device = await testDevice()));
  afterAll(() => device.destroy());

  const audioBatch = (n: number) => device.tensor(uniform('audio', n * 6 * 128 * 39), [n, 6, 128, 39]);
  const frameBatch = (n: number) =>
    device.tensor(uniform('frames', n * 6 * imageSize ** 2), [n, 2, 3, imageSize, imageSize]);

  it('give logits, alone and together, for at most 16 million operations each', async () => {
    const nets = {
      audio: new AudioNet(new Fcnn(audio), 10).to(device).eval(),
      video: new VideoNet(new DenseNetExtractor(video), 10).to(device).eval(),
    };
    const joint = new JointNet(new Fcnn(audio), new DenseNetExtractor(video), 10).to(device).eval();
    const hear = device.compile((x) => noGrad(() => nets.audio.forward(x)));
    const see = device.compile((x) => noGrad(() => nets.video.forward(x)));
    const both = device.compile((x, frames) => noGrad(() => joint.forward(x, frames)));
    for (const [net, inputs, limit] of [
      [hear, [audioBatch(2)], 16e6],
      [see, [frameBatch(2)], 16e6],
      [both, [audioBatch(2), frameBatch(2)], 32e6],
    ] as const) {
      const logits = await net(...inputs);
      expect(logits.shape).toEqual([2, 10]);
      expect((await logits.data()).every(Number.isFinite)).toBe(true);
      const flops = net.statistics().flops / 2;
      console.log(
        `small preset: ${(flops / 1e6).toFixed(1)} MFLOP a sample in ${net.statistics().dispatches} dispatches`,
      );
      expect(flops).toBeLessThan(limit);
      net.dispose();
    }
  });

  it('embed a clip as the mean of its frames', async () => {
    const extractor = new DenseNetExtractor(video);
    const net = new VideoNet(extractor, 10).to(device).eval();
    const frames = frameBatch(1);
    const [first = [], second = []] = [0, 1].map((i) =>
      uniform('frames', 6 * imageSize ** 2).slice(i * 3 * imageSize ** 2, (i + 1) * 3 * imageSize ** 2),
    );
    const alone = [first, second].map((data) => {
      const one = device.tensor(Float32Array.from([...data, ...data]), [1, 2, 3, imageSize, imageSize]);
      return noGrad(() => net.forward(one)).data();
    });
    const [a, b] = await Promise.all(alone);
    const together = await noGrad(() => net.forward(frames)).data();
    together.forEach((logit, i) => expect(logit).toBeCloseTo(((a?.[i] ?? NaN) + (b?.[i] ?? NaN)) / 2, 4));
    expect(() => net.forward(device.tensor(new Float32Array(12), [1, 3, 2, 2]))).toThrow(
      'frames must be [N, frames, 3',
    );
  });

  it('leave a frozen extractor alone: no gradients, running statistics as they were', async () => {
    const net = new JointNet(new Fcnn(audio), new DenseNetExtractor(video), 10)
      .freeze(['video'])
      .to(device)
      .train();
    expect(net.audio.training && net.fusion.training).toBe(true);
    expect(net.video.modules().some(({ training }) => training)).toBe(false);
    const before = await net.video.stateDict();
    const heard = await net.audio.stateDict();
    sum(net.forward(audioBatch(2), frameBatch(2))).backward();
    const withGradient = [...net.namedParameters()]
      .filter(([, { grad }]) => grad !== null)
      .map(([name]) => name);
    const expected = [...net.namedParameters().keys()].filter((name) => !name.startsWith('video.'));
    expect(withGradient).toEqual(expected);
    expect(await net.video.stateDict()).toEqual(before);
    expect((await net.audio.stateDict()).get('norm0.running_mean')).not.toEqual(
      heard.get('norm0.running_mean'),
    );
    net.freeze([]);
    expect([...net.namedParameters().values()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect(net.modules().every(({ training }) => training)).toBe(true);
  });
});

describe('presets', () => {
  it('name schedules that begin at the learning rate', () => {
    for (const name of PRESET_NAMES) {
      for (const phase of preset(name).stages) {
        expect(scheduleOf(phase)(0)).toBe(phase.optimizer.learningRate);
        expect(scheduleOf(phase)(phase.epochs / 3)).toBeLessThanOrEqual(phase.optimizer.learningRate);
      }
    }
  });
});
