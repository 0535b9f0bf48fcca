import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import type { Device } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';
import { compareTensors, loadHashWeights, patterned, type ComparedTensors } from '../support/nets.ts';
import { readJson } from '../support/oracle.ts';
import { FULL } from '../support/scale.ts';

/*
 * The pairs of the paper's Table 1 as joint nets at full width on small pictures, against PyTorch in f64. tools/table1_cases.py says
 * what is compared.
 */
interface Table1Fixture extends ComparedTensors {
  readonly seed: string;
  readonly audio: readonly number[];
  readonly frames: readonly number[];
}

const PAIRS = [
  ['fcnn', 'resnet18'],
  ['resnet50_audio', 'resnet18'],
  ['fcnn', 'resnet50'],
  ['fcnn', 'resnest50'],
  ['fcnn', 'densenet161'],
] as const;

const CLASSES = 10;
const SLOW = 1_800_000;

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

async function run(net: JointNet, { seed, ...shapes }: Table1Fixture) {
  const [clips = 1] = shapes.audio;
  const [sound, frames] = (['audio', 'frames'] as const).map((part) =>
    device.tensor(patterned(`${seed}/${part}`, shapes[part]), shapes[part], { requiresGrad: true }),
  );
  if (sound === undefined || frames === undefined) throw new Error('two inputs are needed');
  const dyShape = [clips, CLASSES];
  const dy = device.tensor(hashValues(`${seed}/dy`, clips * CLASSES, 'uniform'), dyShape);
  const parameters = net.namedParameters();
  const kernels = [...parameters].filter(([, { shape }]) => shape.length > 1);
  const first = ['audio', 'video'].flatMap((part) =>
    kernels.filter(([key]) => key.startsWith(part)).slice(0, 1),
  );
  const results = new Map<string, ArrayLike<number>>();
  for (const [mode, kind, chosen] of [
    ['eval', 'grad', kernels],
    ['train', 'batch', first],
  ] as const) {
    const leaves = [['audio', sound] as const, ['frames', frames] as const, ...chosen];
    for (const leaf of [sound, frames, ...parameters.values()]) leaf.grad = null;
    const step = device.compile(() => {
      const out = net.train(mode === 'train').forward(sound, frames);
      out.backward(dy);
      return out;
    });
    results.set(`${mode}/out`, await (await step()).data());
    for (const [key, { grad }] of leaves) results.set(`${kind}/${key}`, (await grad?.data()) ?? []);
    step.dispose();
  }
  net.dispose();
  return results;
}

describe('pairs of Table 1', () => {
  const options = { fcnn: { features: 512, dropout: 0 }, resnet50_audio: undefined };
  test.for(PAIRS)('%s and %s', { timeout: SLOW }, async ([audio, video], context) => {
    const software = device.description.name.includes('SwiftShader');
    context.skip(software && !FULL, 'minutes on SwiftShader: npm run test:all runs it');
    const name = `${audio}_${video}`;
    const fixture = readJson(`models/table1/${name}.json`) as Table1Fixture;
    const net = new JointNet(
      findArchitecture(audio).createExtractor(options[audio]),
      findArchitecture(video).createExtractor(),
      CLASSES,
    );
    compareTensors(`table1/${name}`, fixture, await run(loadHashWeights(device, net), fixture));
    expect(net.fusion.namedTensors().size).toBe(8);
  });
});
