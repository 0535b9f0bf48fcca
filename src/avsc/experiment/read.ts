// Reads an experiment from JSON: every field is checked, and so is what fields say about each other.

import { SCENES } from '../dataset/scenes.ts';
import { FUSIONS, HEADS, MODALITIES, type Modality } from '../models/joint.ts';
import { ARCHITECTURE_NAMES, modalityOf } from '../weights/architecture.ts';
import { findArchitecture } from '../weights/architectures.ts';
import { checkAugmentation, readAugmentation } from './augmentation.ts';
import { readScenes } from './scenes.ts';
import {
  ENSEMBLE,
  netsOf,
  resultStages,
  SCHEDULES,
  type AdamConfig,
  type Experiment,
  type GivenWeightsRule,
  type Limits,
  type NetSpec,
  type Phase,
  type ResultSpec,
  type SgdConfig,
  type StageModel,
  type StageSpec,
} from './experiment.ts';
import {
  boolean,
  list,
  number,
  object,
  oneOf,
  optional,
  record,
  text,
  withDefault,
  within,
  type Reader,
} from './fields.ts';

const FIELDS = [
  'name',
  'description',
  'seed',
  'batchSize',
  'imageSize',
  'precision',
  'scenes',
  'validation',
  'nets',
  'stages',
  'result',
  'limits',
  'given',
];

const PRECISIONS = ['f32', 'f16'] as const;

const positive = number({ min: 1, integer: true });

/**
 * The experiment of a JSON value. Throws an Error of one sentence that names the first field that is missing, unknown, out of range,
 * or at odds with another field.
 */
export function readExperiment(value: unknown): Experiment {
  const fields = object(value, 'the experiment', FIELDS);
  const experiment: Experiment = {
    name: text(fields['name'], 'name'),
    description: withDefault(anyText, '')(fields['description'], 'description'),
    seed: withDefault(number({ min: 0, max: 2 ** 32 - 1, integer: true }), 1)(fields['seed'], 'seed'),
    batchSize: number({ min: 2, max: 65_536, integer: true })(fields['batchSize'], 'batchSize'),
    imageSize: evenSize(fields['imageSize'], 'imageSize'),
    precision: withDefault(oneOf(PRECISIONS), 'f32')(fields['precision'], 'precision'),
    scenes: withDefault(readScenes, SCENES)(fields['scenes'], 'scenes'),
    validation: optional(number({ min: 0, max: 0.9 }))(fields['validation'], 'validation'),
    nets: record(readNet)(fields['nets'], 'nets'),
    stages: list(readStage)(fields['stages'], 'stages'),
    result: readResult(fields['result'], 'result'),
    limits: withDefault(readLimits, NO_LIMITS)(fields['limits'], 'limits'),
    given: optional(readGiven)(fields['given'], 'given'),
  };
  checkStages(experiment);
  return experiment;
}

const anyText: Reader<string> = (value, name) => (value === '' ? '' : text(value, name));

const evenSize: Reader<number> = (value, name) => {
  const size = number({ min: 16, max: 1024, integer: true })(value, name);
  if (size % 2 === 0) return size;
  throw new Error(`${name} is ${size}, it must be even: pictures go to the device four bytes at a time`);
};

const readNet: Reader<NetSpec> = (value, name) => {
  const net = object(value, name, ['architecture', 'options', 'weights', 'standardize']);
  const architecture = oneOf(ARCHITECTURE_NAMES)(net['architecture'], within(name, 'architecture'));
  const options = net['options'] ?? null;
  if (options !== null) findArchitecture(architecture).checkOptions(options, within(name, 'options'));
  return {
    architecture,
    options,
    weights: optional(text)(net['weights'], within(name, 'weights')),
    standardize: withDefault(boolean, false)(net['standardize'], within(name, 'standardize')),
  };
};

const STAGE_FIELDS = [
  'id',
  'net',
  'head',
  'audio',
  'video',
  'fusion',
  'epochs',
  'optimizer',
  'schedule',
  'freeze',
  'augment',
];

const readStage: Reader<StageSpec> = (value, name) => {
  const stage = object(value, name, STAGE_FIELDS);
  const id = text(stage['id'], within(name, 'id'));
  if (!/^[\w-]{1,40}$/.test(id) || id === ENSEMBLE)
    throw new Error(
      `${within(name, 'id')} is ${JSON.stringify(id)}, it must be up to 40 letters, digits, - and _, and not ${ENSEMBLE}`,
    );
  return {
    id,
    model: readModel(stage, name),
    ...readPhase(stage, name),
    freeze: withDefault(list(oneOf(MODALITIES)), [])(stage['freeze'], within(name, 'freeze')),
    augmentation: readAugmentation(stage['augment'], within(name, 'augment')),
  };
};

function readModel(stage: Readonly<Record<string, unknown>>, name: string): StageModel {
  if (stage['net'] !== undefined) {
    const other = ['audio', 'video', 'fusion'].find((field) => stage[field] !== undefined);
    if (other !== undefined)
      throw new Error(
        `${name} has net and ${other}: a stage trains a net with a head, or audio and video with a fusion`,
      );
    return {
      kind: 'single',
      net: text(stage['net'], within(name, 'net')),
      head: withDefault(oneOf(HEADS), 'linear')(stage['head'], within(name, 'head')),
    };
  }
  if (stage['head'] !== undefined) throw new Error(`${within(name, 'head')} is for a stage with one net`);
  return {
    kind: 'joint',
    audio: text(stage['audio'], within(name, 'audio')),
    video: text(stage['video'], within(name, 'video')),
    fusion: withDefault(oneOf(FUSIONS), 'mlp')(stage['fusion'], within(name, 'fusion')),
  };
}

function readPhase(phase: Readonly<Record<string, unknown>>, name: string): Phase {
  return {
    epochs: positive(phase['epochs'], within(name, 'epochs')),
    optimizer: readOptimizer(phase['optimizer'], within(name, 'optimizer')),
    schedule: oneOf(SCHEDULES)(phase['schedule'], within(name, 'schedule')),
  };
}

const readOptimizer: Reader<AdamConfig | SgdConfig> = (value, name) => {
  const kind = oneOf(['adam', 'sgd'])(object(value, name)['kind'], within(name, 'kind'));
  const momentumField = kind === 'sgd' ? ['momentum'] : [];
  const fields = object(value, name, ['kind', 'learningRate', 'weightDecay', ...momentumField]);
  const common = {
    learningRate: number({ min: 0, above: true })(fields['learningRate'], within(name, 'learningRate')),
    weightDecay: withDefault(number({ min: 0 }), 0)(fields['weightDecay'], within(name, 'weightDecay')),
  };
  if (kind === 'adam') return { kind, ...common };
  return {
    kind,
    ...common,
    momentum: number({ min: 0, max: 0.9999 })(fields['momentum'], within(name, 'momentum')),
  };
};

const readResult: Reader<ResultSpec> = (value, name) => {
  if (typeof value === 'string') return value;
  const product = list(text)(object(value, name, ['product'])['product'], within(name, 'product'));
  if (product.length < 2)
    throw new Error(`${name}.product has ${product.length} stages, it takes at least 2`);
  return { product };
};

const NO_LIMITS: Limits = { stepsPerEpoch: null, evaluationSamples: null };

const readLimits: Reader<Limits> = (value, name) => {
  const limits = object(value, name, Object.keys(NO_LIMITS));
  return {
    stepsPerEpoch: optional(positive)(limits['stepsPerEpoch'], within(name, 'stepsPerEpoch')),
    evaluationSamples: optional(positive)(limits['evaluationSamples'], within(name, 'evaluationSamples')),
  };
};

const readGiven: Reader<GivenWeightsRule> = (value, name) => {
  const given = object(value, name, ['freeze', 'standardize', 'frozen', 'trained']);
  const phase = (field: string): Phase => {
    const at = within(name, field);
    return readPhase(object(given[field], at, ['epochs', 'optimizer', 'schedule']), at);
  };
  return {
    freeze: boolean(given['freeze'], within(name, 'freeze')),
    standardize: boolean(given['standardize'], within(name, 'standardize')),
    frozen: phase('frozen'),
    trained: phase('trained'),
  };
};

/** Checks what fields say about each other. */
function checkStages(experiment: Experiment): void {
  const { nets, stages } = experiment;
  if (stages.length === 0) throw new Error('stages is empty, an experiment trains at least one stage');
  const ids = stages.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw new Error(`stages has two stages with the id ${twice}`);
  stages.forEach((stage, i) => checkStage(stage, `stages[${i}]`, nets));
  for (const id of resultStages(experiment))
    if (!ids.includes(id)) throw new Error(`result names the stage ${id}, stages has ${ids.join(', ')}`);
}

function checkStage(
  { model, freeze, augmentation }: StageSpec,
  name: string,
  nets: Experiment['nets'],
): void {
  const modality = (field: string, net: string): Modality => {
    const spec = nets[net];
    if (spec !== undefined) return modalityOf(findArchitecture(spec.architecture));
    throw new Error(`${within(name, field)} names the net ${net}, nets has ${Object.keys(nets).join(', ')}`);
  };
  const used: Modality[] = [];
  if (model.kind === 'single') used.push(modality('net', model.net));
  else
    for (const part of MODALITIES) {
      if (modality(part, model[part]) !== part)
        throw new Error(`${within(name, part)} names the net ${model[part]}, which is not one for ${part}`);
      used.push(part);
    }
  const idle = freeze.find((part) => !used.includes(part));
  if (idle !== undefined)
    throw new Error(`${within(name, 'freeze')} names ${idle}, which the stage does not use`);
  const inputs = netsOf(model).map((net) => findArchitecture((nets[net] as NetSpec).architecture).input);
  checkAugmentation(augmentation, within(name, 'augment'), inputs);
}
