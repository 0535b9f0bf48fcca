// Trained stages that several runs have in common, such as the audio net of a table's rows.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { netsOf, type StageSpec } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { writeStage } from '../../experiment/write.ts';
import { netOf } from '../../training/model.ts';
import { originOf } from '../runs/load.ts';
import { readTensors, writeTensors, type Label } from '../runs/tensors-file.ts';

export interface SharedStages {
  /** Weights of an equal stage; null if no run has trained one, or its file is damaged. */
  take(stage: StageSpec): Promise<StateDict | null>;
  /** Keeps weights for other runs. Two runs may do so at once, because they write the same bytes, each atomically. */
  keep(stage: StageSpec, weights: StateDict): Promise<void>;
}

/** Shared stages of runs of a recipe on a data set and an adapter, in `folder`. */
export function sharedStages(folder: string, recipe: Recipe, data: string, adapter: string): SharedStages {
  const placeOf = (stage: StageSpec): [path: string, label: Label] => {
    const key = stageKey(recipe, stage, data, adapter);
    const path = join(folder, `${stage.id}-${key.slice(0, 20)}.safetensors`);
    return [path, { recipe: key, content: `stage ${stage.id}` }];
  };
  return {
    take: (stage) =>
      readTensors(...placeOf(stage)).then(
        ({ tensors }) => tensors,
        () => null,
      ),
    keep: (stage, tensors) => writeTensors(...placeOf(stage), { tensors }),
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
