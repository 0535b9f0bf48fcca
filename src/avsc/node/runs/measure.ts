// Predictions of a run's models on clips.

import type { Device } from '../../../tensor/device.ts';
import type { StageSpec } from '../../experiment/experiment.ts';
import type { Modality } from '../../models/joint.ts';
import type { SceneModel } from '../../training/model.ts';
import { createLoader, type Loader } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { predictAll, type Predictions } from './evaluate.ts';
import type { RunFolder } from './folder.ts';
import { loadModel } from './load.ts';
import { inputPlan } from '../../training/plan.ts';
import { stageSources } from './stage-sources.ts';

/** What predictions need beside the model and the clips. */
export interface MeasureContext {
  readonly device: Device;
  readonly folder: RunFolder;
  /** Folder of the prepared clips. */
  readonly cache: string;
  readonly signal: AbortSignal;
  onEmbedding?(part: Modality, done: number, total: number): void;
  onPredicted?(done: number, total: number): void;
}

/** Samples of clips as they are; all in order, or as many of a seeded order as the experiment's limits say. */
export async function evaluationLoader(
  context: MeasureContext,
  stage: StageSpec,
  model: SceneModel,
  clips: readonly PreparedClip[],
): Promise<Loader> {
  const { recipe } = context.folder.config;
  const plan = inputPlan(recipe, stage, 'evaluation');
  const sources = await stageSources(model, clips, plan, { ...context, stage });
  const { evaluationSamples } = recipe.limits;
  return createLoader(clips, {
    batchSize: recipe.batchSize,
    sources,
    size: recipe.imageSize,
    ...(evaluationSamples !== null && {
      shuffle: { seed: recipe.seed },
      dropLast: false,
      maxSamples: evaluationSamples,
    }),
  });
}

/** Probabilities by the trained model of a stage. Throws, naming the file, if the run does not have its weights. */
export async function predictStage(
  context: MeasureContext,
  stage: StageSpec,
  clips: readonly PreparedClip[],
): Promise<Predictions> {
  const { device, folder, signal } = context;
  const model = await loadModel(folder, stage.id, device);
  try {
    const loader = await evaluationLoader(context, stage, model, clips);
    const plan = inputPlan(folder.config.recipe, stage, 'evaluation');
    const onProgress = (done: number, total: number): void => context.onPredicted?.(done, total);
    return await predictAll(device, model, plan, loader, { signal, onProgress });
  } finally {
    model.net.dispose();
  }
}
