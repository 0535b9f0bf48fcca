import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DENSENET161, DenseNet, DenseNetExtractor } from '../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { crossEntropy, noGrad, type Device } from '../../src/index.ts';
import type { Layer, Module } from '../../src/nn/module.ts';
import { Adam } from '../../src/nn/optim/adam.ts';
import { hashIndices, hashValues } from '../support/hash.ts';
import { hashWeight } from '../support/hash_weights.ts';
import { readExpected, readJson, relativeError } from '../support/oracle.ts';
import { testDevice } from '../support/engine.ts';

/*
 * Whole nets with weights from a hash against PyTorch in f64 (tools/model_cases.py): outputs within 1e-5, gradients
 * within 1e-4 in the relative 2-norm, or three times the worst that PyTorch's own f32 gives where that is larger; and the
 * median over all tensors at most one and a half times what PyTorch's f32 gives typically.
 */
interface NetFixture {
  readonly seed: string;
  readonly input: readonly number[];
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly f32: number;
    readonly typical: number;
  }[];
}

interface JointFixture {
  readonly steps: number;
  readonly batches: number;
  readonly batch: number;
  readonly features: number;
  readonly widths: readonly [number, number, number];
  readonly audio: readonly number[];
  readonly frames: readonly number[];
  readonly classes: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly losses: readonly { readonly loss: number; readonly f32: number }[];
}

/** DenseNet161 is 140 GFLOP here, and SwiftShader on a busy machine makes one or two a second. */
const SLOW = 900_000;

const SMALL_DENSENET = { growthRate: 12, blocks: [2, 2], stem: 16 };

const NETS: readonly [name: string, make: () => Layer][] = [
  ['fcnn', () => new Fcnn({ features: 512, dropout: 0 })],
  ['densenet_small', () => new DenseNetExtractor(SMALL_DENSENET)],
  ['densenet161', () => new DenseNet(DENSENET161, 1000)],
];

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function loadHashWeights<M extends Module>(net: M): M {
  const entries = [...net.namedTensors()].map(([key, { shape }]) => {
    return [key, { shape, data: hashWeight(key, shape) }] as const;
  });
  net.loadStateDict(new Map(entries));
  return net.to(device);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

test.each(NETS)(
  '%s: output, gradients and statistics',
  async (name, make) => {
    const fixture = readJson(`models/${name}.json`) as NetFixture;
    const expected = readExpected(`models/${name}.safetensors`);
    const net = loadHashWeights(make());
    const x = device.tensor(hashValues(`${fixture.seed}/x`, count(fixture.input), 'uniform'), fixture.input, {
      requiresGrad: true,
    });
    const results = new Map<string, ArrayLike<number>>();
    const evaluated = noGrad(() => net.eval().forward(x));
    results.set('eval/out', await evaluated.data());
    const out = net.train().forward(x);
    out.backward(device.tensor(hashValues(`${fixture.seed}/dy`, out.numel, 'uniform'), out.shape));
    results.set('train/out', await out.data());
    results.set('grad/input', (await x.grad?.data()) ?? []);
    for (const [key, { grad }] of net.namedParameters())
      results.set(`grad/${key}`, (await grad?.data()) ?? []);
    for (const [key, statistic] of net.namedBuffers()) results.set(`stat/${key}`, await statistic.data());
    net.dispose();

    expect([...results.keys()].sort()).toEqual(fixture.tensors.map((tensor) => tensor.name).sort());
    const errors = fixture.tensors.map(({ name: key, f32, typical }) => {
      const reference = expected.get(key);
      if (reference === undefined) throw new Error(`the fixtures lack ${key} of ${name}`);
      const error = relativeError(results.get(key) ?? [], reference);
      return { key, error, typical, limit: Math.max(key.startsWith('grad/') ? 1e-4 : 1e-5, 3 * f32) };
    });
    for (const kind of ['eval', 'train', 'grad', 'stat']) {
      const group = errors.filter(({ key }) => key.startsWith(kind));
      const [ours, theirs] = [group.map(({ error }) => error), group.map(({ typical }) => typical)];
      const show = (values: number[]) =>
        `${median(values).toExponential(1)} median, ${Math.max(...values).toExponential(1)} worst`;
      console.log(`${name} ${kind}: error ${show(ours)} (PyTorch f32, typically: ${show(theirs)})`);
      expect(median(ours), `median error of ${kind}`).toBeLessThanOrEqual(
        Math.max(1e-5, 1.5 * median(theirs)),
      );
    }
    expect(errors.filter(({ error, limit }) => !(error <= limit))).toEqual([]);
  },
  SLOW,
);

/** Mixup labels [rows, classes]: a ratio for one class, the rest for another. */
function softLabels(name: string, rows: number, classes: number): Float32Array {
  const ratios = hashValues(`${name}/ratio`, rows, 'unit');
  const one = hashIndices(`${name}/one`, rows, classes);
  const two = hashIndices(`${name}/two`, rows, classes);
  const labels = new Float32Array(rows * classes);
  ratios.forEach((ratio, i) => {
    const [first, second] = [i * classes + (one[i] ?? 0), i * classes + (two[i] ?? 0)];
    labels[first] = (labels[first] ?? 0) + ratio;
    labels[second] = (labels[second] ?? 0) + 1 - ratio;
  });
  return labels;
}

/** As in tools/model_cases.py: 4 x 4 patches of one value each, and some noise. */
function patterned(name: string, shape: readonly number[]): Float32Array {
  const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const images = count(shape) / (height * width);
  const patches = hashValues(`${name}/patches`, images * 16, 'uniform');
  const noise = hashValues(name, count(shape), 'uniform');
  return Float32Array.from(noise, (value, i) => {
    const [image, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const patch = image * 16 + Math.floor((y * 4) / height) * 4 + Math.floor((x * 4) / width);
    return Math.fround((patches[patch] ?? 0) + Math.fround(Math.fround(0.2) * value));
  });
}

describe('joint training', () => {
  test('20 steps of Adam give PyTorch losses', async () => {
    const fixture = readJson('models/joint.json') as JointFixture;
    const { batch, classes, features, widths } = fixture;
    const net = loadHashWeights(
      new JointNet(
        new Fcnn({ features, widths, dropout: 0 }),
        new DenseNetExtractor(SMALL_DENSENET),
        classes,
      ),
    );
    net.train();
    const adam = new Adam(net.parameters(), { lr: fixture.learningRate, weightDecay: fixture.weightDecay });
    const step = device.compile((audio, frames, labels) => {
      adam.zeroGrad();
      const loss = crossEntropy(net.forward(audio, frames), labels);
      loss.backward();
      adam.step();
      return loss;
    });
    const losses: number[] = [];
    for (let i = 0; i < fixture.steps; i++) {
      const name = `joint/batch${i % fixture.batches}`;
      const loss = await step(
        { data: patterned(`${name}/audio`, fixture.audio), shape: fixture.audio },
        { data: patterned(`${name}/frames`, fixture.frames), shape: fixture.frames },
        { data: softLabels(name, batch, classes), shape: [batch, classes] },
      );
      losses.push(await loss.item());
    }
    const errors = fixture.losses.map(({ loss }, i) => Math.abs((losses[i] ?? Number.NaN) - loss) / loss);
    const theirs = Math.max(...fixture.losses.map(({ f32 }) => f32));
    console.log(
      `joint: relative error of the loss at most ${Math.max(...errors).toExponential(1)} (PyTorch f32: ${theirs.toExponential(1)})`,
    );
    expect(errors.filter((error) => !(error <= 1e-3))).toEqual([]);
  });
});
