// How a run trains: everything that decides its result, as config.json keeps it.

import { STAGES, type Stage } from './records.ts';

export const PRESETS = ['small', 'paper'] as const;
export type PresetName = (typeof PRESETS)[number];

export const FREEZES = ['none', 'audio', 'video', 'both'] as const;
/** Which extractors keep their weights and statistics in the joint stage. */
export type Freeze = (typeof FREEZES)[number];

export interface StageRecipe {
  readonly epochs: number;
  /** Learning rate of Adam at the beginning of the stage. */
  readonly lr: number;
}

export interface Recipe {
  readonly preset: PresetName;
  readonly seed: number;
  readonly batchSize: number;
  /** The L2 term that Adam adds to every gradient. */
  readonly weightDecay: number;
  /** How the learning rate goes on within a stage: half a cosine to 0, or not at all. */
  readonly schedule: 'cosine' | 'constant';
  readonly freeze: Freeze;
  /** Part of the training clips that is held out by location and measured after each epoch, 0..1. */
  readonly validation: number;
  readonly stages: Readonly<Record<Stage, StageRecipe>>;
}

/** The part that is usual per preset; a command's options go over it. */
type Defaults = Pick<Recipe, 'batchSize' | 'weightDecay' | 'schedule' | 'stages'>;

const DEFAULTS: Readonly<Record<PresetName, Defaults>> = {
  small: {
    batchSize: 16,
    weightDecay: 1e-4,
    schedule: 'cosine',
    stages: {
      audio: { epochs: 5, lr: 2e-3 },
      video: { epochs: 5, lr: 2e-3 },
      joint: { epochs: 4, lr: 1e-3 },
    },
  },
  // The joint stage is the paper's; it does not say how the audio net was trained beforehand.
  paper: {
    batchSize: 32,
    weightDecay: 1e-5,
    schedule: 'constant',
    stages: {
      audio: { epochs: 60, lr: 1e-3 },
      video: { epochs: 10, lr: 1e-4 },
      joint: { epochs: 20, lr: 1e-5 },
    },
  },
};

/** What a command may say; the rest comes from the preset. */
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
  readonly weightDecay?: number;
  readonly freeze?: Freeze;
  readonly validation?: number;
}

/** From so many training clips on, a tenth of them is held out for validation unless the command says otherwise. */
const CLIPS_FOR_VALIDATION = 500;

/** The recipe of a run on a training split of `clips` clips. */
export function makeRecipe(options: RecipeOptions, clips: number): Recipe {
  const usual = DEFAULTS[options.preset];
  const stage = (name: Stage): StageRecipe => ({
    epochs: options.epochs ?? usual.stages[name].epochs,
    lr: (name === 'joint' ? options.lr : options.unimodalLr) ?? usual.stages[name].lr,
  });
  return {
    preset: options.preset,
    seed: options.seed ?? 1,
    batchSize: options.batchSize ?? usual.batchSize,
    weightDecay: options.weightDecay ?? usual.weightDecay,
    schedule: usual.schedule,
    freeze: options.freeze ?? 'none',
    validation: options.validation ?? (clips >= CLIPS_FOR_VALIDATION ? 0.1 : 0),
    stages: { audio: stage('audio'), video: stage('video'), joint: stage('joint') },
  };
}

/**
 * Reads a recipe back from config.json. Throws an Error that names the first field that is missing or out of range.
 */
export function checkRecipe(value: unknown): Recipe {
  const recipe = record(value, 'recipe');
  const stages = record(recipe['stages'], 'stages');
  const stage = (name: Stage): StageRecipe => {
    const part = record(stages[name], `stages.${name}`);
    return {
      epochs: number(part['epochs'], `stages.${name}.epochs`, (x) => Number.isInteger(x) && x >= 0),
      lr: number(part['lr'], `stages.${name}.lr`, (x) => x > 0),
    };
  };
  return {
    preset: oneOf(recipe['preset'], 'preset', PRESETS),
    seed: number(recipe['seed'], 'seed', (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32),
    batchSize: number(recipe['batchSize'], 'batchSize', (x) => Number.isInteger(x) && x >= 2),
    weightDecay: number(recipe['weightDecay'], 'weightDecay', (x) => x >= 0),
    schedule: oneOf(recipe['schedule'], 'schedule', ['cosine', 'constant'] as const),
    freeze: oneOf(recipe['freeze'], 'freeze', FREEZES),
    validation: number(recipe['validation'], 'validation', (x) => x >= 0 && x < 1),
    stages: Object.fromEntries(STAGES.map((name) => [name, stage(name)])) as Record<Stage, StageRecipe>,
  };
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
