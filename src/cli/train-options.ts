// The options of `train`: converted for a new run, and compared with a run to resume.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MODALITIES, type Modality } from '../avsc/models/joint.ts';
import type { RunFolder } from '../avsc/node/runs/folder.ts';
import type { NewRun } from '../avsc/node/training/start.ts';
import { sha256Of } from '../avsc/node/weights/given.ts';
import type { RecipeOptions } from '../avsc/training/recipe.ts';
import type { ArchitectureName } from '../avsc/weights/architecture.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { UsageError } from './options.ts';

export interface TrainOptions extends Omit<RecipeOptions, 'batchSize' | 'extractors'> {
  readonly audio?: ArchitectureName;
  readonly audioWeights?: string;
  readonly video?: ArchitectureName;
  readonly videoWeights?: string;
  readonly data?: string;
  readonly batch?: number;
  readonly lrUnimodal?: number;
  readonly device: AdapterChoice;
  readonly cache?: string;
  readonly out?: string;
  readonly resume?: true;
  readonly saveEvery: number;
  readonly json?: true;
}

/** The new run of the options. Throws a UsageError for weights without the name of their net. */
export function newRun({ audio, audioWeights, video, videoWeights, ...options }: TrainOptions): NewRun {
  const extractor = (
    part: Modality,
    architecture: ArchitectureName | undefined,
    weights: string | undefined,
  ): NewRun['extractors'][Modality] => {
    if (architecture !== undefined) return { architecture, weights };
    if (weights === undefined) return null;
    throw new UsageError(`--${part}-weights needs --${part} to say which net the weights are of`);
  };
  const { batch, lrUnimodal, data, out, ...recipe } = options;
  return {
    recipe: {
      ...recipe,
      ...(batch === undefined ? {} : { batchSize: batch }),
      ...(lrUnimodal === undefined ? {} : { unimodalLr: lrUnimodal }),
    },
    extractors: {
      audio: extractor('audio', audio, audioWeights),
      video: extractor('video', video, videoWeights),
    },
    data,
    out,
  };
}

/** Throws a UsageError if an option on the command line differs from the recipe of the run to resume. */
export async function assertSameRecipe(
  { path, config }: RunFolder,
  options: TrainOptions,
  command: Command,
): Promise<void> {
  const { recipe, data } = config;
  const { audio, video, joint } = recipe.phases;
  const same: readonly [option: keyof TrainOptions, flag: string, found: readonly (string | number)[]][] = [
    ['data', '--data', [data]],
    ['preset', '--preset', [recipe.preset]],
    ['epochs', '--epochs', [audio.epochs, video.epochs, joint.epochs]],
    ['batch', '--batch', [recipe.batchSize]],
    ['lr', '--lr', [joint.optimizer.learningRate]],
    ['lrUnimodal', '--lr-unimodal', [audio.optimizer.learningRate, video.optimizer.learningRate]],
    ['audio', '--audio', [recipe.extractors.audio?.architecture ?? 'nothing']],
    ['video', '--video', [recipe.extractors.video?.architecture ?? 'nothing']],
    ['freeze', '--freeze', [recipe.freeze]],
    ['validation', '--validation', [recipe.validation]],
    ['seed', '--seed', [recipe.seed]],
  ];
  for (const [option, flag, found] of same) {
    if (command.getOptionValueSource(option) !== 'cli') continue;
    const given = option === 'data' ? resolve(options.data ?? '') : options[option];
    const other = found.find((value) => value !== given);
    if (other !== undefined) {
      throw new UsageError(
        `${path} was started with ${flag} ${other}: leave the option out, or start a new run`,
      );
    }
  }
  for (const part of MODALITIES) {
    const file = options[`${part}Weights`];
    if (file === undefined) continue;
    const weights = recipe.extractors[part]?.weights;
    if (!weights || (await sha256Of(file)) !== weights.sha256) {
      throw new UsageError(
        `${path} was started with ${weights ? `other --${part}-weights than ${file} holds` : `no --${part}-weights`}: ` +
          'leave the option out, or start a new run',
      );
    }
  }
}
