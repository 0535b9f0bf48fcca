// How a run trains: everything that decides its result, as config.json keeps it.

import { PRESETS, type AdamConfig, type Phase, type PresetName, type SgdConfig } from '../presets.ts';
import type { Frozen } from '../models/joint.ts';
import { STAGES, type Stage } from './records.ts';

export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/** Which extractors keep their weights and statistics in the joint stage. */
export const FREEZES: readonly Frozen[] = ['none', 'audio', 'video', 'both'];

export interface Recipe {
  readonly preset: PresetName;
  readonly seed: number;
  readonly batchSize: number;
  readonly freeze: Frozen;
  /** Part of the training clips that is held out by location and measured after each epoch, 0..1. */
  readonly validation: number;
  readonly phases: Readonly<Record<Stage, Phase>>;
}

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
  readonly freeze?: Frozen;
  readonly validation?: number;
}

/** From so many training clips on, a tenth of them is held out for validation unless the command says otherwise. */
const CLIPS_FOR_VALIDATION = 500;

/** The recipe of a run on a training split of `clips` clips. */
export function makeRecipe(options: RecipeOptions, clips: number): Recipe {
  const { batchSize, phases } = PRESETS[options.preset];
  const phase = (stage: Stage): Phase => {
    const usual: Phase = phases[stage];
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
    batchSize: options.batchSize ?? batchSize,
    freeze: options.freeze ?? 'none',
    validation: options.validation ?? (clips >= CLIPS_FOR_VALIDATION ? 0.1 : 0),
    phases: { audio: phase('audio'), video: phase('video'), joint: phase('joint') },
  };
}

/** Reads a recipe back from config.json. Throws an Error that names the first field that is missing or out of range. */
export function checkRecipe(value: unknown): Recipe {
  const recipe = record(value, 'recipe');
  const phases = record(recipe['phases'], 'phases');
  return {
    preset: oneOf(recipe['preset'], 'preset', PRESET_NAMES),
    seed: number(recipe['seed'], 'seed', (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32),
    batchSize: number(recipe['batchSize'], 'batchSize', (x) => Number.isInteger(x) && x >= 2),
    freeze: oneOf(recipe['freeze'], 'freeze', FREEZES),
    validation: number(recipe['validation'], 'validation', (x) => x >= 0 && x < 1),
    phases: Object.fromEntries(STAGES.map((stage) => [stage, checkPhase(phases[stage], stage)])) as Record<
      Stage,
      Phase
    >,
  };
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
