// How the inputs of a stage come to its model.

import { netsOf, type Experiment, type StageSpec } from '../experiment/experiment.ts';
import type { InputPlan, PartInput } from './inputs.ts';
import { inputOf, partOf, pictureInput } from './model.ts';

/**
 * How the inputs of a stage come to its model, for training with the stage's augmentation, or without. Embeddings stand for the
 * inputs of a frozen extractor, unless these are augmented.
 */
export function inputPlan(
  experiment: Experiment,
  stage: StageSpec,
  use: 'training' | 'evaluation',
): InputPlan {
  const augmentation = use === 'training' ? stage.augmentation : null;
  return {
    parts: netsOf(stage.model).map((net): PartInput => {
      const part = partOf(experiment, net);
      const input = inputOf(experiment, net);
      const changed =
        (input === 'logmel' && augmentation?.features != null) ||
        (input === 'frames' && augmentation?.pictures != null) ||
        augmentation?.mixup?.on === 'inputs';
      return { part, from: stage.freeze.includes(part) && !changed ? 'embeddings' : input };
    }),
    picture: pictureInput(experiment, stage.model),
    augmentation,
    seed: experiment.seed,
  };
}
