// Trained stages that several runs have in common, such as the audio net of a table's rows.

import { createHash } from 'node:crypto';
import { copyFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { netsOf, type StageSpec } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { writeStage } from '../../experiment/write.ts';
import { netOf } from '../../training/model.ts';
import { makeFolder, storageError, temporaryName } from '../../../node/files.ts';
import { exists } from '../runs/folder.ts';
import { originOf } from '../runs/load.ts';

export interface SharedStages {
  /** Copies the weights of an equal stage to `path`. False if no run has trained one. */
  take(stage: StageSpec, path: string): Promise<boolean>;
  /** Keeps the weights at `path` for other runs. */
  keep(stage: StageSpec, path: string): Promise<void>;
}

/** Shared stages of runs of a recipe on a data set and an adapter, in `folder`. */
export function sharedStages(folder: string, recipe: Recipe, data: string, adapter: string): SharedStages {
  const fileOf = (stage: StageSpec): string =>
    join(folder, `${stage.id}-${stageKey(recipe, stage, data, adapter).slice(0, 20)}.safetensors`);
  return {
    take: async (stage, path) => {
      const file = fileOf(stage);
      if (!(await exists(file))) return false;
      await copyAtomic(file, path);
      return true;
    },
    keep: (stage, path) => copyAtomic(path, fileOf(stage)),
  };
}

/**
 * Hash of everything that decides a stage's weights: its own description, its nets and where their initial weights come from, the data
 * and the adapter. Nets and stages that it does not depend on are left out, so that rows of a table share what they have in common.
 */
export function stageKey(recipe: Recipe, stage: StageSpec, data: string, adapter: string): string {
  const nets = netsOf(stage.model).map((net) => {
    const origin = originOf(recipe, stage, net);
    const from =
      origin.kind === 'stage'
        ? stageKey(recipe, origin.stage, data, adapter)
        : origin.kind === 'given'
          ? recipe.weights[net]?.sha256
          : 'random';
    const { architecture, options, standardize } = netOf(recipe, net);
    return { architecture, options, standardize, from };
  });
  const { seed, batchSize, imageSize, validation, limits } = recipe;
  // The names of nets decide nothing.
  const about = { ...writeStage(stage), net: null, audio: null, video: null };
  const key = {
    data,
    adapter,
    seed,
    batchSize,
    imageSize,
    validation,
    steps: limits.stepsPerEpoch,
    about,
    nets,
  };
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}

async function copyAtomic(from: string, to: string): Promise<void> {
  const temporary = temporaryName(to);
  try {
    await makeFolder(dirname(to));
    await copyFile(from, temporary);
    await rename(temporary, to);
  } catch (error) {
    throw storageError(error, to);
  }
}
