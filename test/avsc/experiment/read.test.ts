import { describe, expect, it } from 'vitest';
import { extendExperiment } from '../../../src/avsc/experiment/extend.ts';
import { overrideExperiment } from '../../../src/avsc/experiment/override.ts';
import { preset, PRESET_NAMES } from '../../../src/avsc/experiment/presets.ts';
import { makeRecipe, readRecipe, writeRecipe } from '../../../src/avsc/experiment/recipe.ts';
import { readExperiment } from '../../../src/avsc/experiment/read.ts';
import { writeExperiment } from '../../../src/avsc/experiment/write.ts';
import { SCENES } from '../../../src/avsc/dataset/scenes.ts';
import { createModel, pictureInput } from '../../../src/avsc/training/model.ts';
import type { Experiment, StageSpec } from '../../../src/avsc/experiment/experiment.ts';

const stage = (fields: object = {}) => ({
  id: 'audio',
  net: 'a',
  epochs: 1,
  optimizer: { kind: 'adam', learningRate: 0.001 },
  schedule: 'constant',
  ...fields,
});
const joint = (fields: object = {}) => {
  const { epochs, optimizer, schedule } = stage();
  return { id: 'joint', audio: 'a', video: 'v', epochs, optimizer, schedule, ...fields };
};
const file = (fields: object = {}) => ({
  name: 'e',
  batchSize: 4,
  imageSize: 32,
  nets: { a: { architecture: 'fcnn', options: { features: 8 } }, v: { architecture: 'resnet18' } },
  stages: [stage(), joint()],
  result: 'joint',
  ...fields,
});

describe('an experiment file', () => {
  it('is read with its defaults', () => {
    const { seed, validation, stages, limits, given } = readExperiment(file());
    expect({ seed, validation, limits, given }).toEqual({
      seed: 1,
      validation: null,
      limits: { stepsPerEpoch: null, evaluationSamples: null },
      given: null,
    });
    expect(stages[0]).toMatchObject({
      model: { kind: 'single', net: 'a', head: 'linear' },
      freeze: [],
      optimizer: { weightDecay: 0 },
      augmentation: { extraClips: null, features: null, pictures: null, mixup: null },
    });
    expect(stages[1]?.model).toEqual({ kind: 'joint', audio: 'a', video: 'v', fusion: 'mlp' });
  });

  it('comes back from JSON as it was written', () => {
    const augment = {
      extraClips: { pitch: 2 },
      specAugment: 0.1,
      channelConfusion: 0.5,
      pictures: { operations: ['Rotate', 'Identity'], count: 2, magnitude: 9 },
      mixup: { share: 0.2, ratio: 0.4, on: 'embeddings' },
    };
    const experiments = [
      ...PRESET_NAMES.map(preset),
      readExperiment(
        file({ stages: [stage(), joint({ augment })], result: { product: ['audio', 'joint'] } }),
      ),
    ];
    for (const experiment of experiments) {
      const written: unknown = JSON.parse(JSON.stringify(writeExperiment(experiment)));
      expect(readExperiment(written)).toEqual(experiment);
      const weights = Object.fromEntries(Object.keys(experiment.nets).map((net) => [net, null]));
      const recipe = makeRecipe(experiment, weights, 40);
      expect(recipe.validation).toBe(0);
      expect(readRecipe(JSON.parse(JSON.stringify(writeRecipe(recipe))))).toEqual(recipe);
    }
    expect(makeRecipe(preset('paper'), {}, 8646).validation).toBe(0.1);
  });

  it('has the ten scenes, which are not written, or names of its own', () => {
    const plain = readExperiment(file());
    expect(plain.scenes).toEqual(SCENES);
    expect(writeExperiment(plain)).not.toHaveProperty('scenes');
    expect(writeExperiment(readExperiment(file({ scenes: [...SCENES] })))).toEqual(writeExperiment(plain));
    const scenes = ['my kitchen', 'Büro', 'tram'];
    const own = readExperiment(file({ scenes }));
    expect(own.scenes).toEqual(scenes);
    expect(readExperiment(JSON.parse(JSON.stringify(writeExperiment(own))))).toEqual(own);
    expect(
      createModel(own, own.stages[1] as StageSpec)
        .net.namedTensors()
        .get('fusion.fc4.bias')?.shape,
    ).toEqual([3]);
  });

  const wrong: readonly [string, object, string][] = [
    ['one scene', { scenes: ['park'] }, 'scenes has 1 names, it takes 2 to 1000'],
    ['scenes that are no list', { scenes: 'park' }, 'scenes is "park", it must be a list'],
    ['a scene twice', { scenes: ['a', 'b', 'a'] }, 'scenes has "a" twice'],
    ['a scene without a name', { scenes: ['a', ''] }, 'scenes[1] is "", it must be a text'],
    ['a scene that is no text', { scenes: ['a', 3] }, 'scenes[1] is 3, it must be a text'],
    ['a long scene', { scenes: ['a', 'b'.repeat(101)] }, 'scenes[1] has 101 characters'],
    ['a scene of two lines', { scenes: ['a', 'b\nc'] }, 'scenes[1] has a control character'],
    ['a scene that ends with a space', { scenes: ['a', 'b '] }, 'scenes[1] is "b ", it must not'],
    ['too many scenes', { scenes: Array.from({ length: 1001 }, (_, i) => `s${i}`) }, 'scenes has 1001 names'],
    ['a misspelt field', { batchsize: 4 }, 'the experiment has a field "batchsize", which it does not take'],
    [
      'a missing field',
      { batchSize: undefined },
      'batchSize is missing, it must be a whole number of at least 2',
    ],
    ['a number out of range', { seed: -1 }, 'seed is -1, it must be a whole number of at least 0'],
    ['an odd picture', { imageSize: 33 }, 'imageSize is 33, it must be even'],
    ['an unknown precision', { precision: 'f8' }, 'precision is "f8"'],
    [
      'an unknown net',
      { nets: { a: { architecture: 'vgg' } } },
      'nets.a.architecture is "vgg", it must be one of',
    ],
    [
      'options of a net without any',
      { nets: { a: { architecture: 'resnet18', options: { depth: 3 } } } },
      'nets.a.options: resnet18 has no options',
    ],
    [
      'wrong options',
      { nets: { a: { architecture: 'fcnn', options: { widths: [1, 2] } } } },
      'nets.a.options: widths must be a list of 3 integers',
    ],
    ['no stage', { stages: [] }, 'stages is empty'],
    ['two stages of one name', { stages: [stage(), stage()] }, 'two stages with the id audio'],
    [
      'a stage without its net',
      { stages: [stage({ net: 'b' })], result: 'audio' },
      'stages[0].net names the net b',
    ],
    [
      'a net of the other kind',
      { stages: [joint({ audio: 'v' })] },
      'stages[0].audio names the net v, which is not one for audio',
    ],
    ['net and fusion', { stages: [stage({ fusion: 'mlp' })] }, 'stages[0] has net and fusion'],
    ['an unknown fusion', { stages: [joint({ fusion: 'sum' })] }, 'stages[0].fusion is "sum"'],
    ['a path as a name', { stages: [stage({ id: '../x' })] }, 'stages[0].id is "../x"'],
    ['a frozen part it lacks', { stages: [stage({ freeze: ['video'] })] }, 'stages[0].freeze names video'],
    ['a result of no stage', { result: 'both' }, 'result names the stage both, stages has audio, joint'],
    ['a product of one', { result: { product: ['joint'] } }, 'result.product has 1 stages'],
    [
      'momentum for Adam',
      { stages: [stage({ optimizer: { kind: 'adam', learningRate: 1, momentum: 0.9 } })] },
      'stages[0].optimizer has a field "momentum"',
    ],
    [
      'SGD without momentum',
      { stages: [stage({ optimizer: { kind: 'sgd', learningRate: 1 } })] },
      'stages[0].optimizer.momentum is missing',
    ],
    [
      'pictures for sound',
      { stages: [stage({ augment: { pictures: { operations: ['Rotate'], count: 1, magnitude: 9 } } })] },
      'stages[0].augment.pictures is given, but no net of the stage takes pictures',
    ],
    [
      'an unknown sub-policy',
      { stages: [joint({ augment: { pictures: { operations: ['Blur'], count: 1, magnitude: 9 } } })] },
      'stages[0].augment.pictures.operations[0] is "Blur"',
    ],
    [
      'a magnitude of 30',
      { stages: [joint({ augment: { pictures: { operations: ['Color'], count: 1, magnitude: 30 } } })] },
      'stages[0].augment.pictures.magnitude is 30',
    ],
    [
      'mixup of nothing',
      { stages: [joint({ augment: { mixup: { share: 0.2 } } })] },
      'stages[0].augment.mixup takes either alpha',
    ],
    [
      'a share of 20',
      { stages: [joint({ augment: { mixup: { share: 20, alpha: 0.4 } } })] },
      'stages[0].augment.mixup.share is 20',
    ],
    [
      'unknown extra clips',
      { stages: [stage({ augment: { extraClips: { echo: 1 } } })] },
      'stages[0].augment.extraClips has a field "echo"',
    ],
  ];
  it.each(wrong)('refuses %s in one sentence that names the field', (_, fields, sentence) => {
    expect(() => readExperiment(JSON.parse(JSON.stringify(file(fields))))).toThrow(sentence);
  });

  it('says which net does not take the features that are to be masked', () => {
    const nets = { a: { architecture: 'cnn1d' }, v: { architecture: 'resnet18' } };
    const stages = [stage({ augment: { specAugment: 0.1 } }), joint()];
    expect(() => readExperiment(file({ nets, stages }))).toThrow(
      'stages[0].augment.specAugment is given, but no net of the stage takes log-mel features, but waveform',
    );
  });
});

describe('an experiment that extends another', () => {
  it('merges objects, removes by null, changes stages by id', () => {
    const changed = extendExperiment(file(), {
      name: 'f',
      nets: { a: { options: null }, v: { weights: 'places365' } },
      stages: { joint: { freeze: ['audio'], optimizer: { learningRate: 0.1 } }, audio: null },
    });
    expect(changed).toMatchObject({
      name: 'f',
      batchSize: 4,
      nets: { v: { architecture: 'resnet18', weights: 'places365' } },
      stages: [{ id: 'joint', freeze: ['audio'], optimizer: { kind: 'adam', learningRate: 0.1 } }],
    });
    expect((changed['nets'] as { a: object }).a).toEqual({ architecture: 'fcnn' });
    expect(extendExperiment(file(), { stages: [stage()] })).toMatchObject({ stages: [{ id: 'audio' }] });
  });

  it('refuses a change of a stage that is not there', () => {
    expect(() => extendExperiment(file(), { stages: { video: {} } })).toThrow(
      'stages.video changes a stage that the base does not have: audio, joint',
    );
  });
});

describe('options of the command line', () => {
  const frozen = ({ stages }: Experiment) => stages.map(({ freeze }) => freeze);
  const weights = '/w.safetensors';

  it('go over the experiment', () => {
    const { seed, batchSize, stages, given } = overrideExperiment(preset('paper'), {
      seed: 5,
      batchSize: 8,
      epochs: 3,
      lr: 1e-4,
      unimodalLr: 1e-2,
      freeze: 'audio',
    });
    expect({ seed, batchSize, given }).toEqual({ seed: 5, batchSize: 8, given: null });
    expect(stages.map(({ epochs, optimizer }) => [epochs, optimizer.learningRate])).toEqual([
      [3, 1e-2],
      [3, 1e-2],
      [3, 1e-4],
    ]);
    expect(stages.map(({ freeze }) => freeze)).toEqual([[], [], ['audio']]);
  });

  it('freeze given weights in the small preset and train a probe of them, with many cheap steps', () => {
    const small = preset('small');
    const probe = overrideExperiment(small, { nets: { video: { architecture: 'resnet18', weights } } });
    expect(frozen(probe)).toEqual([[], ['video'], ['video']]);
    expect(probe.stages[1]?.epochs).toBeGreaterThan(small.stages[1]?.epochs ?? 99);
    expect(probe.stages[0]).toEqual(small.stages[0]);
    expect(probe.nets['densenet']).toMatchObject({ architecture: 'resnet18', weights, standardize: true });
    const lively = overrideExperiment(small, {
      nets: { video: { architecture: 'resnet18', weights } },
      freeze: 'none',
    });
    expect(frozen(lively)).toEqual([[], [], []]);
    expect(lively.stages[1]?.optimizer.learningRate).toBe(1e-4);
  });

  it('train random weights first, whatever is frozen', () => {
    const nets = { video: { architecture: 'resnet18', weights: null } } as const;
    const small = preset('small');
    expect(overrideExperiment(small, { nets }).stages).toEqual(small.stages);
    expect(frozen(overrideExperiment(small, { nets, freeze: 'both' }))).toEqual([[], [], ['audio', 'video']]);
  });

  it("leave the paper's stages as they are when weights are given", () => {
    const paper = preset('paper');
    const given = overrideExperiment(paper, { nets: { video: { architecture: null, weights } } });
    expect(given.stages).toEqual(paper.stages);
    expect(given.nets['densenet161']).toEqual({ ...paper.nets['densenet161'], weights });
  });

  it('decide what pictures are normalized by, and their size', () => {
    const squeezenet = overrideExperiment(preset('small'), {
      nets: { video: { architecture: 'squeezenet1_1', weights: null } },
    });
    const [, video] = squeezenet.stages;
    if (video === undefined) throw new Error('no video stage');
    expect(pictureInput(squeezenet, video.model)).toMatchObject({
      size: 224,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });
    expect(() =>
      overrideExperiment(preset('small'), { nets: { video: { architecture: 'fcnn', weights: null } } }),
    ).toThrow('fcnn is not a net for video');
  });
});
