import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cnn1dExtractor } from '../../src/avsc/models/cnn1d.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { BaselineFusion, BaselineHead } from '../../src/avsc/models/heads/baseline.ts';
import { HybridFusion } from '../../src/avsc/models/heads/hybrid.ts';
import { OpenL3Extractor } from '../../src/avsc/models/openl3.ts';
import { ResNestExtractor } from '../../src/avsc/models/resnest.ts';
import { ResNetExtractor } from '../../src/avsc/models/resnet.ts';
import { SqueezeNetExtractor } from '../../src/avsc/models/squeezenet.ts';
import { ARCHITECTURE_NAMES } from '../../src/avsc/weights/architecture.ts';
import { ARCHITECTURES, findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { importWeights, readStateDict } from '../../src/avsc/weights/import.ts';
import { noGrad, slice, type Device, type Tensor } from '../../src/index.ts';
import { openCheckpoint } from '../../src/nn/checkpoint/open.ts';
import { bytesSource } from '../../src/nn/checkpoint/source.ts';
import { Dropout } from '../../src/nn/layers/simple.ts';
import { Layer } from '../../src/nn/module.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';
import { checkNet, hashWeights } from '../support/nets.ts';
import { readExpected, readJson, relativeError } from '../support/oracle.ts';
import { joined, writeTorchLegacy, type TorchEntry } from '../support/torch_writer.ts';
import { FULL } from '../support/scale.ts';

interface ZooFixture {
  readonly classes: number;
  readonly nets: readonly {
    readonly name: string;
    readonly input: readonly number[];
    readonly parameters: number;
    readonly f32: number;
  }[];
}

const SLOW = 600_000;
const zoo = readJson('models/zoo.json') as ZooFixture;

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

/** Names as torchvision had them when Places365's nets were saved, from DataParallel. */
const placesName = (name: string): string =>
  `module.${name.replace(/(\.denselayer\d+\.(?:norm|conv))([12])\./, '$1.$2.')}`;

/** A file as Places365's: Python 2, PyTorch 0.2, storages on a GPU, a dict around the state dict. */
function placesFile(net: Layer): Uint8Array<ArrayBuffer> {
  const entries = [...hashWeights(net)].map(([name, { shape, data }]): TorchEntry => {
    return { name: placesName(name), shape, data: data as Float32Array<ArrayBuffer> };
  });
  return joined(
    writeTorchLegacy(entries, {
      python2: true,
      rebuild: '_rebuild_tensor',
      location: 'cuda:0',
      around: 'state_dict',
    }),
  );
}

describe('weights of hashed numbers, named as Places365 did, give the logits of PyTorch in f64', () => {
  const expected = readExpected('models/zoo.safetensors');

  test.each(zoo.nets)(
    '$name',
    async ({ name, input, parameters, f32 }) => {
      const architecture = findArchitecture(name);
      const made = architecture.createClassifier(zoo.classes);
      expect(made.parameterCount()).toBe(parameters);
      const file = await openCheckpoint(bytesSource(placesFile(made)));
      const { tensors, report } = importWeights(file, architecture, { classes: zoo.classes });
      expect(report.loaded).toEqual([...made.namedTensors().keys()]);
      made.loadStateDict(await readStateDict(tensors));
      made.to(device).eval();
      const count = input.reduce((product, size) => product * size, 1);
      const x = device.tensor(hashValues(`${name}/x`, count, 'uniform'), input);
      const logits = await noGrad(() => made.forward(x)).data();
      made.dispose();
      const reference = expected.get(name);
      if (reference === undefined) throw new Error(`the fixtures lack ${name}`);
      const error = relativeError(logits, reference);
      console.log(`${name}: relative error of the logits ${error.toExponential(1)} (PyTorch f32: ${f32})`);
      expect(error).toBeLessThan(1e-4);
    },
    SLOW,
  );
});

/** A fusion of two embeddings, given as one tensor whose first `split` columns are the sound's. */
class SideBySide extends Layer {
  readonly net: BaselineFusion | HybridFusion;
  readonly #split: number;

  constructor(split: number, net: BaselineFusion | HybridFusion) {
    super();
    this.net = net;
    this.#split = split;
  }

  forward(x: Tensor): Tensor {
    const audio = slice(x, { dim: 1, end: this.#split });
    return this.net.forward(audio, slice(x, { dim: 1, start: this.#split }));
  }
}

/** The net, whose dropout never drops. */
function withoutDropout<Net extends Layer>(net: Net): Net {
  net.eval();
  for (const layer of net.modules()) if (layer instanceof Dropout) layer.train = () => layer;
  return net;
}

describe('small nets of each kind against PyTorch in f64: output, gradients and statistics', () => {
  const fires = [
    [[8, 16]],
    [
      [8, 24],
      [12, 24],
    ],
  ] as const;
  const nets: readonly [string, () => Layer][] = [
    ['resnet_basic', () => new ResNetExtractor({ block: 'basic', layers: [1, 1, 1], width: 64 })],
    ['resnet_bottleneck', () => new ResNetExtractor({ block: 'bottleneck', layers: [2, 1, 1], width: 64 })],
    ['resnest_small', () => new ResNestExtractor({ layers: [2, 1, 1], width: 16 })],
    ['squeezenet_small', () => new SqueezeNetExtractor({ stem: 16, fires, imageSize: 33 })],
    [
      'resnet_audio_small',
      () => new ResNetExtractor({ block: 'bottleneck', layers: [1, 1], width: 64, channels: 6 }),
    ],
    [
      'openl3_audio_small',
      () => new OpenL3Extractor({ channels: 1, widths: [8, 12, 16, 24], reluFirst: [] }),
    ],
    [
      'openl3_image_small',
      () => new OpenL3Extractor({ channels: 3, widths: [8, 12, 16, 24], reluFirst: [2] }),
    ],
    [
      'cnn1d_small',
      () => new Cnn1dExtractor({ channels: 2, kernel: 16, stride: 4, blocks: [[8], [8, 12], [16]] }),
    ],
    ['baseline_head', () => withoutDropout(new BaselineHead(24, 10))],
    ['baseline_fusion', () => withoutDropout(new SideBySide(24, new BaselineFusion(24, 40, 10)))],
    ['hybrid_fusion', () => new SideBySide(24, new HybridFusion(24, 40, 10))],
  ];
  test.each(nets)('%s', (name, make) => checkNet(device, name, make()), SLOW);

  const some = ['cnn1d_small', 'openl3_image_small', 'hybrid_fusion'];

  describe.each([
    ['each op by itself', { fusion: false }],
    ['by kernels for GPUs with sizes compiled in', { kind: 'gpu', bakeParams: true }],
  ] as const)('%s', (_, options) => {
    let other: Device;
    beforeAll(async () => {
      other = await testDevice(options);
    });
    afterAll(() => other.destroy());

    test.for(nets.filter(([name]) => FULL || some.includes(name)))(
      '%s',
      { timeout: SLOW },
      async ([name, make], context) => {
        const slow = !FULL && 'kind' in options && other.description.name.includes('SwiftShader');
        context.skip(slow, 'SwiftShader compiles these kernels for minutes: npm run test:all runs it');
        await checkNet(other, name, make());
      },
    );
  });
});

describe('architectures', () => {
  test('are as many parameters as published, with 365 classes', () => {
    const counts = Object.fromEntries(
      ['resnet18', 'resnet50', 'resnet50_bottom', 'densenet161', 'squeezenet1_1'].map((name) => [
        name,
        findArchitecture(name).createClassifier(365).parameterCount(),
      ]),
    );
    expect(counts).toEqual({
      resnet18: 11_363_757,
      resnet50: 24_255_917,
      resnet50_bottom: 8_543_296 + 1024 * 365 + 365,
      densenet161: 27_278_285,
      squeezenet1_1: 915_629,
    });
    expect(findArchitecture('resnest50').createClassifier(1000).parameterCount()).toBe(27_483_240);
    expect(findArchitecture('densenet').createClassifier(1000).parameterCount()).toBe(7_978_856);
  });

  test("have extractors whose names are the classifier's without the head's", () => {
    for (const name of ARCHITECTURE_NAMES) {
      const architecture = ARCHITECTURES[name];
      const { classes, head } = architecture;
      const all = [...architecture.createClassifier(classes).namedTensors().keys()];
      const extractor = architecture.createExtractor();
      expect([...extractor.namedTensors().keys()]).toEqual(all.filter((key) => !head.includes(key)));
      expect(all).toEqual(expect.arrayContaining([...head]));
    }
  });

  test('have extractors of as many features as published', () => {
    const features = ARCHITECTURE_NAMES.map((name) => [
      name,
      ARCHITECTURES[name].createExtractor().outFeatures,
    ]);
    expect(Object.fromEntries(features)).toEqual({
      densenet161: 2208,
      densenet: 1024,
      resnet18: 512,
      resnet50: 2048,
      resnet50_bottom: 1024,
      resnest50: 2048,
      squeezenet1_1: 512,
      openl3_image: 512,
      fcnn: 10,
      fcnn_small: 3,
      resnet50_audio: 2048,
      cnn1d: 512,
      openl3_audio: 512,
    });
  });

  test('have their own names, and every file of a net has one', async () => {
    for (const name of ARCHITECTURE_NAMES) expect(ARCHITECTURES[name].name).toBe(name);
    const extractors = ARCHITECTURE_NAMES.map((name) => ARCHITECTURES[name].createExtractor());
    const folder = new URL('../../src/avsc/models/', import.meta.url);
    // The nets of whole scenes are put together from extractors and heads.
    const files = readdirSync(folder).filter((file) => file.endsWith('.ts') && file !== 'joint.ts');
    expect(files.length).toBeGreaterThan(6);
    for (const file of files) {
      const exported = Object.values((await import(new URL(file, folder).href)) as Record<string, unknown>);
      const classes = exported.filter(
        (value) => typeof value === 'function' && value.prototype instanceof Layer,
      ) as (abstract new () => Layer)[];
      const known = classes.some((net) => extractors.some((extractor) => extractor instanceof net));
      expect(known, `src/avsc/models/${file} has an entry in src/avsc/weights/architectures.ts`).toBe(true);
    }
  });

  test('take sizes as options, or say which field is wrong', () => {
    const fcnn = findArchitecture('fcnn');
    expect(fcnn.createExtractor({ features: 512 }).parameterCount()).toBe(12_343_084);
    const small = { features: 64, widths: [8, 16, 32], dropout: 0, normMomentum: 0.1 };
    expect(fcnn.createExtractor(small).outFeatures).toBe(64);
    expect(fcnn.createClassifier(10, small).parameterCount()).toBe(
      new Fcnn({ features: 10, widths: [8, 16, 32] }).parameterCount(),
    );
    const densenet = findArchitecture('densenet');
    expect(densenet.createExtractor({ growthRate: 12, blocks: [2, 2, 2], stem: 16 }).outFeatures).toBe(46);
    const wrong: readonly [string, unknown, string][] = [
      ['fcnn', {}, 'audio.options needs features, an integer of 2 to 16384'],
      ['fcnn', { features: 1 }, 'audio.options: features must be an integer of 2 to 16384, got 1'],
      ['fcnn', { features: 64, widths: [8, 16] }, 'audio.options: widths must be a list of 3 integers'],
      [
        'fcnn',
        { features: 64, width: [8, 16, 32] },
        "audio.options has no option 'width': did you mean 'widths'?",
      ],
      [
        'fcnn',
        { features: 64, dropout: 1 },
        'audio.options: dropout must be a number of at least 0 and below 1',
      ],
      ['fcnn', 64, 'audio.options takes options as an object with features'],
      ['densenet', { growthRate: 12, blocks: [], stem: 16 }, 'blocks must be a list of 1 to 8 integers'],
      [
        'densenet',
        { growthRate: 12, blocks: [2, 1e9], stem: 16 },
        'blocks must be a list of 1 to 8 integers',
      ],
      ['densenet', { growthRate: 12, blocks: [2, 2] }, 'audio.options needs stem'],
      ['resnet18', { width: 8 }, 'audio.options: resnet18 has no options'],
    ];
    for (const [name, options, message] of wrong) {
      expect(() => findArchitecture(name).checkOptions(options, 'audio.options')).toThrow(message);
    }
    expect(() => fcnn.createExtractor({ features: 0.5 })).toThrow('fcnn: features must be');
    expect(() => fcnn.checkOptions(undefined)).not.toThrow();
  });

  test('are listed where a name is none of them', () => {
    expect(() => findArchitecture('vgg16')).toThrow(
      'there is no architecture vgg16: choose one of densenet161',
    );
  });
});
