// Which models judge a recording.

import { resultStages, type Experiment, type StageSpec } from '../experiment/experiment.ts';
import type { Modality } from '../models/joint.ts';
import { partsOf } from './model.ts';

/**
 * The stages of the experiment's result whose inputs a recording has, or else the last of `stages` that can do with what there is; null if
 * none can.
 */
export function modelsFor(
  experiment: Experiment,
  stages: readonly StageSpec[],
  has: Readonly<Record<Modality, boolean>>,
): readonly StageSpec[] | null {
  const result = resultStages(experiment);
  const fitting = stages.filter(({ model }) => partsOf(experiment, model).every((part) => has[part]));
  const wanted = result.flatMap((id) => fitting.filter((stage) => stage.id === id));
  if (wanted.length > 0) return wanted;
  const other = fitting.at(-1);
  return other === undefined ? null : [other];
}
