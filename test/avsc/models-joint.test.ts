import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Extractor } from '../../src/avsc/models/extractor.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { BaselineHead } from '../../src/avsc/models/heads/baseline.ts';
import { HybridFusion } from '../../src/avsc/models/heads/hybrid.ts';
import { AudioNet, FUSIONS, HEADS, JointNet, VideoNet } from '../../src/avsc/models/joint.ts';
import { crossEntropy, mul, noGrad, slice, softmax, sum, type Device, type Tensor } from '../../src/index.ts';
import { Linear } from '../../src/nn/layers/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { testDevice } from '../support/engine.ts';
import { uniform } from '../support/hash.ts';
import { mean } from '../../src/tensor/ops/reduce.ts';
import { loadHashWeights } from '../support/nets.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const CLASSES = 3;

const keys = (module: Module): string[] => [...module.namedTensors().keys()];

const fcnn = () => new Fcnn({ features: 4, widths: [2, 2, 2], dropout: 0 });

/** Means of the colours, through a Linear to 5 features. */
class Colours extends Extractor {
  readonly outFeatures = 5;
  readonly fc = new Linear(3, 5);

  override map(x: Tensor): Tensor {
    return x;
  }

  override pool(map: Tensor): Tensor {
    return this.fc.forward(super.pool(map));
  }
}

const inputs = (n: number) => ({
  audio: device.tensor(uniform('audio', n * 6 * 32 * 16), [n, 6, 32, 16]),
  frames: device.tensor(uniform('frames', n * 2 * 3 * 16), [n, 2, 3, 4, 4]),
});

const joint = (options: ConstructorParameters<typeof JointNet>[3]) =>
  loadHashWeights(device, new JointNet(fcnn(), new Colours(), CLASSES, options));

const values = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

const close = (actual: readonly number[], expected: readonly number[], digits = 5) => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, digits));
};

describe('heads and fusions', () => {
  it("have the names that trained runs hold, and the baseline's", () => {
    const linear = new AudioNet(fcnn(), CLASSES);
    expect(keys(linear).slice(-2)).toEqual(['head.weight', 'head.bias']);
    const mlp = new JointNet(fcnn(), new Colours(), CLASSES);
    expect(keys(mlp).filter((key) => key.startsWith('fusion'))).toEqual(
      [1, 2, 3, 4].flatMap((i) => [`fusion.fc${i}.weight`, `fusion.fc${i}.bias`]),
    );
    const head = new VideoNet(new Colours(), CLASSES, { head: 'baseline' }).head;
    expect(head).toBeInstanceOf(BaselineHead);
    expect(keys(head).filter((key) => key.endsWith('.weight'))).toEqual(
      ['fc1', 'norm1', 'fc2', 'norm2', 'fc3', 'norm3', 'fc4'].map((layer) => `${layer}.weight`),
    );
  });

  it('give logits of every kind, whose gradients reach every parameter', async () => {
    const { audio, frames } = inputs(3);
    for (const head of HEADS) {
      const net = loadHashWeights(device, new VideoNet(new Colours(), CLASSES, { head })).train();
      const logits = net.forward(frames);
      expect(logits.shape).toEqual([3, CLASSES]);
      sum(logits).backward();
      expect([...net.namedParameters().values()].every(({ grad }) => grad !== null)).toBe(true);
      net.dispose();
    }
    for (const fusion of FUSIONS) {
      const net = joint({ fusion }).train();
      const logits = net.forward(audio, frames);
      expect(logits.shape).toEqual([3, CLASSES]);
      crossEntropy(logits, device.tensor([0, 1, 2], [3], { dtype: 'i32' })).backward();
      for (const [name, { grad }] of net.namedParameters()) {
        expect(grad === null ? null : (await grad.data()).every(Number.isFinite), name).toBe(true);
      }
      net.dispose();
    }
  });
});

describe('mixing of embeddings', () => {
  /** Mixup of each row with the next one, of rows that are twice as many. */
  const mix = (embedding: Tensor): Tensor => {
    const n = embedding.shape[0] ?? 0;
    const [own, partner] = [
      slice(embedding, { dim: 0, end: n / 2 }),
      slice(embedding, { dim: 0, start: n / 2 }),
    ];
    return mul(own, 0.75).add(mul(partner, 0.25));
  };

  it('takes place after the extractors and before standardisation', async () => {
    const { audio, frames } = inputs(4);
    const standardised = ['audio', 'video'] as const;
    const net = joint({ standardised }).eval();
    const mixed = await values(noGrad(() => net.forward(audio, frames, mix)));
    const [sound, sight] = noGrad(() => {
      const each = net.video.forward(frames.reshape([8, 3, 4, 4]));
      return [net.audio.forward(audio), mean(each.reshape([4, 2, 5]), { dim: 1 })];
    });
    const expected = await values(noGrad(() => net.forward(mix(sound), mix(sight))));
    expect(mixed.length).toBe(2 * CLASSES);
    close(mixed, expected);
    const plain = await values(noGrad(() => net.forward(audio, frames)));
    expect(Math.abs((plain[0] ?? 0) - (mixed[0] ?? 0))).toBeGreaterThan(1e-3);
    net.dispose();
  });

  it('is the same for one modality', async () => {
    const { audio, frames } = inputs(4);
    const hear = loadHashWeights(device, new AudioNet(fcnn(), CLASSES)).eval();
    const see = loadHashWeights(device, new VideoNet(new Colours(), CLASSES)).eval();
    for (const [net, input] of [
      [hear, audio],
      [see, frames],
    ] as const) {
      // The head is linear, so that its logits mix as the embeddings do.
      const logits = noGrad(() => net.forward(input));
      close(await values(noGrad(() => net.forward(input, mix))), await values(noGrad(() => mix(logits))));
      net.dispose();
    }
  });
});

describe('freezing', () => {
  const trained = (net: JointNet): Set<string> =>
    new Set(
      [...net.namedParameters()]
        .filter(([, { requiresGrad }]) => requiresGrad)
        .map(([name]) => name.split('.').slice(0, 2).join('.')),
    );

  it("of the baseline's heads leaves its two last layers to train", async () => {
    const net = joint({ fusion: 'baseline', standardised: ['audio', 'video'] }).train();
    net.freeze(['audio', 'video'], { heads: true });
    expect(trained(net)).toEqual(new Set(['fusion.fc1', 'fusion.fc2']));
    const before = await net.stateDict();
    const { audio, frames } = inputs(3);
    sum(net.forward(audio, frames)).backward();
    const after = await net.stateDict();
    // Running statistics too: every batch norm stands before the layers that are trained.
    expect([...after]).toEqual([...before]);
    net.freeze(['video'], { heads: true });
    expect([...trained(net)].filter((name) => name.startsWith('video') || name === 'fusion.video')).toEqual(
      [],
    );
    expect(trained(net).has('fusion.audio')).toBe(true);
    net.freeze(['video']);
    expect(trained(net).has('fusion.video')).toBe(true);
    expect(net.video.training).toBe(false);
    expect(net.videoNorm?.training).toBe(true);
    net.dispose();
  });

  it('of heads is refused where there are none', () => {
    const net = joint({ fusion: 'hybrid' });
    expect(() => net.freeze(['audio'], { heads: true })).toThrow("only the fusion 'baseline' has heads");
    expect(trained(net.freeze(['audio', 'video']))).toEqual(
      new Set(['fusion.early', 'fusion.audio_head', 'fusion.video_head']),
    );
    net.dispose();
  });
});

describe('a joint net that begins with trained nets', () => {
  it('takes over extractors, standardisation and, for the baseline, the first layers of the heads', async () => {
    const standardised = ['audio', 'video'] as const;
    const audio = loadHashWeights(device, new AudioNet(fcnn(), CLASSES, { head: 'baseline', standardised }));
    const net = new JointNet(fcnn(), new Colours(), CLASSES, { fusion: 'baseline', standardised }).to(device);
    const entries = [...(await audio.stateDict())].flatMap(([name, tensor]) => {
      const to = net.nameOf('audio', name);
      return to === null ? [] : [[to, tensor] as const];
    });
    const { missing } = net.loadStateDict(new Map(entries), { strict: false });
    expect(missing.filter((name) => name.includes('audio'))).toEqual([]);
    const [here, there] = [await net.stateDict(), await audio.stateDict()];
    for (const name of ['fc1.weight', 'fc1.bias', 'norm1.running_var', 'fc2.weight'])
      expect(here.get(`fusion.audio.${name}`), name).toEqual(there.get(`head.${name}`));
    expect(here.get('audio_norm.running_mean')).toEqual(there.get('audio_norm.running_mean'));
    const mlp = new JointNet(fcnn(), new Colours(), CLASSES);
    expect(
      ['audio.norm0.weight', 'audio_norm.running_mean', 'head.fc1.weight'].map((name) =>
        mlp.nameOf('audio', name),
      ),
    ).toEqual(['audio.norm0.weight', 'audio_norm.running_mean', null]);
    expect(net.nameOf('video', 'audio.norm0.weight')).toBeNull();
    audio.dispose();
    net.dispose();
  });
});

describe('hybrid fusion', () => {
  /** Embeddings are the heads' logits themselves, and the early fusion's are its last bias. */
  function fusionOf(audio: readonly number[], video: readonly number[], early: readonly number[]) {
    const net = new HybridFusion(CLASSES, CLASSES, CLASSES);
    const identity = Float32Array.from({ length: CLASSES ** 2 }, (_, i) => (i % (CLASSES + 1) === 0 ? 1 : 0));
    const state = new Map(
      [...net.namedTensors()].map(([name, { shape }]) => {
        const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
        if (name === 'early.fc4.bias') data.set(early);
        if (/^(audio|video)_head.weight$/.test(name)) data.set(identity);
        return [name, { shape, data }];
      }),
    );
    net.loadStateDict(state);
    net.to(device);
    const tensor = (row: readonly number[]) => device.tensor([...row], [1, CLASSES], { requiresGrad: true });
    const [a, v] = [tensor(audio), tensor(video)];
    return { net, a, v, out: net.forward(a, v) };
  }

  const probabilities = (logits: readonly number[]): number[] => {
    const largest = Math.max(...logits);
    const powers = logits.map((x) => Math.exp(x - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / total);
  };

  it('is the mean of early and late probabilities, to softmax and to crossEntropy', async () => {
    const [audio, video, early] = [
      [1, -2, 0.5],
      [0, 3, -1],
      [2, 2, -4],
    ] as const;
    const { net, out } = fusionOf(audio, video, early);
    const [pa, pv, pe] = [audio, video, early].map((logits) => probabilities(logits));
    const expected = [0, 1, 2].map((i) => (pe?.[i] ?? NaN) / 2 + ((pa?.[i] ?? NaN) + (pv?.[i] ?? NaN)) / 4);
    close(await values(softmax(out, 1)), expected, 6);
    const loss = crossEntropy(out, device.tensor([1], [1], { dtype: 'i32' }));
    expect(await loss.item()).toBeCloseTo(-Math.log(expected[1] ?? NaN), 5);
    net.dispose();
  });

  it('is exact for probabilities that no f32 holds', async () => {
    const { net, a, v, out } = fusionOf([0, 300, -50], [0, 400, -200], [0, 500, -300]);
    // ln p of class 0 is that of its largest term, sound: -300 + ln(1/4); of class 2, also sound: -350 + ln(1/4).
    close(await values(out), [-300 + Math.log(1 / 4), 0, -350 + Math.log(1 / 4)], 3);
    crossEntropy(out, device.tensor([0], [1], { dtype: 'i32' })).backward();
    close(await values(a.grad ?? a), [-1, 1, 0]);
    close(await values(v.grad ?? v), [0, 0, 0]);
    net.dispose();
  });
});
