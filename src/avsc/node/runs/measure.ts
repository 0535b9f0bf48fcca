// Predictions of a run's models on clips.

import type { Device } from '../../../tensor/device.ts';
import type { StageSpec } from '../../experiment/experiment.ts';
import type { Modality } from '../../models/joint.ts';
import type { SceneModel } from '../../training/model.ts';
import { createLoader, type Loader } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { predictAll, type Predictions } from './evaluate.ts';
import { inputPlan } from '../../training/plan.ts';
import type { TrainedModels } from './trained.ts';
import { inputSources, stageSources } from './stage-sources.ts';

/** What predictions need beside the model and the clips. */
export interface MeasureContext {
  readonly device: Device;
  readonly trained: TrainedModels;
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
  const { folder, experiment } = context.trained;
  const plan = inputPlan(experiment, stage, 'evaluation');
  const sources =
    folder === null
      ? inputSources(plan)
      : await stageSources(model, clips, plan, { ...context, folder, stage });
  const { evaluationSamples } = experiment.limits;
  return createLoader(clips, {
    batchSize: experiment.batchSize,
    sources,
    size: experiment.imageSize,
    classes: experiment.scenes.length,
    ...(evaluationSamples !== null && {
      shuffle: { seed: experiment.seed },
      dropLast: false,
      maxSamples: evaluationSamples,
    }),
  });
}

/** Probabilities by the trained model of a stage. Throws, naming the file, if its weights are missing. */
export async function predictStage(
  context: MeasureContext,
  named: StageSpec,
  clips: readonly PreparedClip[],
): Promise<Predictions> {
  const { device, trained, signal } = context;
  // A run keeps the embeddings of its frozen extractors. A file has no place for them.
  const stage = trained.folder === null ? { ...named, freeze: [] } : named;
  const model = await trained.load(stage.id, device);
  try {
    const loader = await evaluationLoader(context, stage, model, clips);
    const plan = inputPlan(trained.experiment, stage, 'evaluation');
    const onProgress = (done: number, total: number): void => context.onPredicted?.(done, total);
    const { precision } = trained.experiment;
    return await predictAll(device, model, plan, loader, { precision, signal, onProgress });
  } finally {
    model.net.dispose();
  }
}
