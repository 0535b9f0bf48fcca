import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DENSENET161, DenseNet, DenseNetExtractor } from '../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { crossEntropy, type Device } from '../../src/index.ts';
import type { Layer } from '../../src/nn/module.ts';
import { Adam } from '../../src/nn/optim/adam.ts';
import { hashIndices, hashValues } from '../support/hash.ts';
import { checkNet, loadHashWeights, patterned } from '../support/nets.ts';
import { readJson } from '../support/oracle.ts';
import { testDevice } from '../support/engine.ts';
import { FULL, FULL_ONLY } from '../support/scale.ts';

/* Whole nets against PyTorch in f64 (tools/model_cases.py); test/support/nets.ts says how near they must be. */
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

const SMALL_DENSENET = { growthRate: 12, blocks: [2, 2], stem: 16 };

const NETS: readonly [name: string, make: () => Layer][] = [
  ['fcnn', () => new Fcnn({ features: 512, dropout: 0 })],
  ['densenet_small', () => new DenseNetExtractor(SMALL_DENSENET)],
  ['densenet161', () => new DenseNet(DENSENET161, 1000)],
];

/**
 * `npm run test:all` checks the large nets without fusion too, and DenseNet161 on pictures of 224 x 224 on every adapter:
 * minutes on SwiftShader, which sees 96 x 96 otherwise.
 */

/** DenseNet161 is 140 GFLOP at 224 x 224, and SwiftShader on a busy machine makes one or two a second. */
const SLOW = FULL ? 7_200_000 : 900_000;

const sizeFor = (device: Device, name: string): string =>
  name === 'densenet161' && !FULL && device.description.name.includes('SwiftShader')
    ? 'densenet161_96'
    : name;

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

describe('nets, fused, by kernels for GPUs with sizes compiled in', () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ fusion: true, kind: 'gpu', bakeParams: true });
  });
  afterAll(() => device.destroy());

  test.for(NETS)('%s: output, gradients and statistics', { timeout: SLOW }, async ([name, make], context) => {
    const slow = !FULL && device.description.name.includes('SwiftShader');
    context.skip(slow, 'SwiftShader compiles these kernels for minutes: npm run test:all runs it');
    await checkNet(device, name, make());
  });
});

describe.each(['cpu', 'gpu'] as const)('nets in f16, fused, by kernels for a %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ fusion: true, kind });
    // Upstream gradients are about 1 here.
    device.enableLossScale().load({ scale: 1, goodSteps: 0, skipped: 0 });
  });
  afterAll(() => device.destroy());

  // DenseNet161 is so ill-conditioned at batch 2 that its gradients in f16 have nothing in common with f64's.
  test.for(NETS.filter(([name]) => name !== 'densenet161'))(
    '%s: output, gradients and statistics',
    { timeout: SLOW },
    async ([name, make], { skip }) => {
      skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
      await checkNet(device, name, make(), 'f16');
    },
  );
});

describe.each([
  ['fused', true],
  ['each op by itself', false],
])('nets, %s', (_, fusion) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ fusion });
  });
  afterAll(() => device.destroy());

  const nets = NETS.filter(([name]) => fusion || FULL || name === 'densenet_small');
  test.each(nets)(
    '%s: output, gradients and statistics',
    (name, make) => checkNet(device, sizeFor(device, name), make()),
    SLOW,
  );

  const why = fusion ? '' : FULL_ONLY;
  test.skipIf(why !== '')(`20 steps of Adam give PyTorch losses${why}`, async () => {
    const fixture = readJson('models/joint.json') as JointFixture;
    const { batch, classes, features, widths } = fixture;
    const net = loadHashWeights(
      device,
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
