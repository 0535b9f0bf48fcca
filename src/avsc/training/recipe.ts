// The recipe of a run: everything that decides its result, as stored in config.json.

import {
  PRESETS,
  type AdamConfig,
  type Phase,
  type Preset,
  type PresetName,
  type SgdConfig,
} from '../presets.ts';
import { isFrozen, MODALITIES, type Frozen, type Modality } from '../models/joint.ts';
import { ARCHITECTURE_NAMES, type ArchitectureName } from '../weights/architecture.ts';
import { modalitiesOf, type ExtractorNames } from './model.ts';
import { STAGES, type Stage } from './records.ts';

export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/**
 * Choices of frozen extractors. An extractor with given weights is frozen from the first stage on, another one in the
 * joint stage.
 */
export const FREEZES: readonly Frozen[] = ['none', 'audio', 'video', 'both'];

/** A published net that replaces a preset's extractor. */
interface ExtractorChoice {
  readonly architecture: ArchitectureName;
  /** Its initial weights: the file's path and SHA-256 in hex; null for random weights. */
  readonly weights: { readonly file: string; readonly sha256: string } | null;
}

/** Null keeps the preset's own net. */
export type ExtractorChoices = Readonly<Record<Modality, ExtractorChoice | null>>;

export interface Recipe {
  readonly preset: PresetName;
  readonly seed: number;
  readonly batchSize: number;
  readonly extractors: ExtractorChoices;
  readonly freeze: Frozen;
  /** Fraction of the training clips, 0..1, that is held out by location and measured after each epoch. */
  readonly validation: number;
  readonly phases: Readonly<Record<Stage, Phase>>;
}

/** Options of a recipe; everything else comes from the preset. */
export interface RecipeOptions {
  readonly preset: PresetName;
  readonly seed?: number;
  readonly batchSize?: number;
  /** Epochs of each stage. */
  readonly epochs?: number;
  /** Learning rate of the joint stage. */
  readonly lr?: number;
  /** Learning rate of the audio and the video stage. */
  readonly unimodalLr?: number;
  readonly extractors?: ExtractorChoices;
  readonly freeze?: Frozen;
  readonly validation?: number;
}

/** With at least so many training clips, a tenth of them is held out for validation by default. */
const CLIPS_FOR_VALIDATION = 500;

const OWN: ExtractorChoices = { audio: null, video: null };

/** The recipe of a run on a training split of `clips` clips. */
export function makeRecipe(options: RecipeOptions, clips: number): Recipe {
  const preset = PRESETS[options.preset];
  const extractors = options.extractors ?? OWN;
  const freeze = options.freeze ?? (preset.given?.freeze ? givenParts(extractors) : 'none');
  const phase = (stage: Stage): Phase => {
    const usual = usualPhase(options.preset, stage, extractors, freeze);
    const learningRate =
      (stage === 'joint' ? options.lr : options.unimodalLr) ?? usual.optimizer.learningRate;
    return {
      ...usual,
      epochs: options.epochs ?? usual.epochs,
      optimizer: { ...usual.optimizer, learningRate },
    };
  };
  return {
    preset: options.preset,
    seed: options.seed ?? 1,
    batchSize: options.batchSize ?? preset.batchSize,
    extractors,
    freeze,
    validation: options.validation ?? (clips >= CLIPS_FOR_VALIDATION ? 0.1 : 0),
    phases: { audio: phase('audio'), video: phase('video'), joint: phase('joint') },
  };
}

function givenParts(extractors: ExtractorChoices): Frozen {
  const given = MODALITIES.filter((part) => extractors[part]?.weights);
  return given.length === MODALITIES.length ? 'both' : (given[0] ?? 'none');
}

function usualPhase(name: PresetName, stage: Stage, extractors: ExtractorChoices, freeze: Frozen): Phase {
  const { given, phases }: Preset = PRESETS[name];
  const parts = modalitiesOf(stage).filter((part) => extractors[part]?.weights);
  if (given === null || parts.length === 0) return phases[stage];
  return parts.some((part) => isFrozen(part, freeze)) ? given.frozen : given.trained;
}

/** Extractors that are frozen in a stage. */
export function frozenIn(stage: Stage, { freeze, extractors }: Recipe): readonly Modality[] {
  return modalitiesOf(stage).filter(
    (part) => isFrozen(part, freeze) && (stage === 'joint' || extractors[part]?.weights),
  );
}

/** The published nets in a recipe, by name. */
export function extractorNames({ extractors: { audio, video } }: Pick<Recipe, 'extractors'>): ExtractorNames {
  return { audio: audio?.architecture ?? null, video: video?.architecture ?? null };
}

/** Reads a recipe back from config.json. Throws an Error that names the first field that is missing or out of range. */
export function checkRecipe(value: unknown): Recipe {
  const recipe = record(value, 'recipe');
  const phases = record(recipe['phases'], 'phases');
  return {
    preset: oneOf(recipe['preset'], 'preset', PRESET_NAMES),
    seed: number(recipe['seed'], 'seed', (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32),
    batchSize: number(recipe['batchSize'], 'batchSize', (x) => Number.isInteger(x) && x >= 2),
    extractors: checkExtractors(recipe['extractors']),
    freeze: oneOf(recipe['freeze'], 'freeze', FREEZES),
    validation: number(recipe['validation'], 'validation', (x) => x >= 0 && x < 1),
    phases: Object.fromEntries(STAGES.map((stage) => [stage, checkPhase(phases[stage], stage)])) as Record<
      Stage,
      Phase
    >,
  };
}

/** The choices in config.json; runs older than published extractors have none. */
function checkExtractors(value: unknown): ExtractorChoices {
  if (value === undefined) return OWN;
  const choices = record(value, 'extractors');
  return {
    audio: checkExtractor(choices['audio'], 'extractors.audio'),
    video: checkExtractor(choices['video'], 'extractors.video'),
  };
}

function checkExtractor(value: unknown, name: string): ExtractorChoice | null {
  if (value === null) return null;
  const choice = record(value, name);
  const architecture = oneOf(choice['architecture'], `${name}.architecture`, ARCHITECTURE_NAMES);
  if (choice['weights'] === null) return { architecture, weights: null };
  const { file, sha256 } = record(choice['weights'], `${name}.weights`);
  if (typeof file !== 'string' || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
    throw new Error(`${name}.weights is not a file's path with its SHA-256`);
  return { architecture, weights: { file, sha256 } };
}

function checkPhase(value: unknown, stage: Stage): Phase {
  const name = `phases.${stage}`;
  const phase = record(value, name);
  return {
    epochs: number(phase['epochs'], `${name}.epochs`, (x) => Number.isInteger(x) && x >= 1),
    optimizer: checkOptimizer(phase['optimizer'], `${name}.optimizer`),
    schedule: oneOf(phase['schedule'], `${name}.schedule`, ['constant', 'cosine', 'warmRestarts'] as const),
  };
}

function checkOptimizer(value: unknown, name: string): AdamConfig | SgdConfig {
  const optimizer = record(value, name);
  const kind = oneOf(optimizer['kind'], `${name}.kind`, ['adam', 'sgd'] as const);
  const learningRate = number(optimizer['learningRate'], `${name}.learningRate`, (x) => x > 0);
  const weightDecay = number(optimizer['weightDecay'], `${name}.weightDecay`, (x) => x >= 0);
  if (kind === 'adam') return { kind, learningRate, weightDecay };
  const momentum = number(optimizer['momentum'], `${name}.momentum`, (x) => x >= 0 && x < 1);
  return { kind, learningRate, momentum, weightDecay };
}

function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object') throw new Error(`${name} is missing`);
  return value as Readonly<Record<string, unknown>>;
}

function number(value: unknown, name: string, allowed: (value: number) => boolean): number {
  if (typeof value === 'number' && Number.isFinite(value) && allowed(value)) return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, which is not a number in its range`);
}

function oneOf<T extends string>(value: unknown, name: string, allowed: readonly T[]): T {
  const found = allowed.find((choice) => choice === value);
  if (found === undefined)
    throw new Error(`${name} is ${JSON.stringify(value)}, it must be one of ${allowed.join(', ')}`);
  return found;
}
