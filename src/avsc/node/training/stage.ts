// One stage of a run: its model, its batches, its epochs, its weights.

import { randomStream } from '../../dataset/random.ts';
import type { StageSpec } from '../../experiment/experiment.ts';
import { scheduleOf } from '../../experiment/presets.ts';
import type { StateDict } from '../../../nn/state.ts';
import { manualSeed } from '../../../tensor/graph/random.ts';
import { createModel, freezeParts, type SceneModel } from '../../training/model.ts';
import { writeDefinition } from '../../training/definition.ts';
import { inputPlan } from '../../training/plan.ts';
import { createTrainer } from '../../training/trainer.ts';
import { makeExtras } from '../data/extras.ts';
import { createLoader, type Loader } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import type { Checkpoint, Position } from '../runs/checkpoint.ts';
import { labels, weightsFile, type RunFolder } from '../runs/folder.ts';
import { loadInitialWeights } from '../runs/load.ts';
import { evaluationLoader } from '../runs/measure.ts';
import { stageSources } from '../runs/stage-sources.ts';
import { writeTensors } from '../runs/tensors-file.ts';
import { runEpoch } from './epoch.ts';
import { measureContext, type Run } from './run.ts';

/** Trains one stage from `from` on and writes its weights. */
export async function runStage(
  run: Run,
  stage: StageSpec,
  from: Position,
  saved?: Checkpoint,
): Promise<void> {
  const { device, folder, clips, events } = run;
  const { recipe } = folder.config;
  const shared = saved === undefined ? await run.shared?.take(stage) : null;
  if (shared) {
    await writeWeights(folder, stage, shared);
    events.onShared?.(stage.id);
    return;
  }
  // A stage draws numbers of its own, whatever other stages the experiment has.
  manualSeed(Math.floor(randomStream(recipe.seed, 'stage', stage.id)() * 2 ** 32));
  const model = createModel(recipe, stage);
  freezeParts(model, stage);
  if (saved && saved.model.size > 0) model.net.loadStateDict(saved.model);
  else await loadInitialWeights(folder, stage, model);
  model.net.to(device);
  const plan = inputPlan(recipe, stage, 'training');
  const trainer = createTrainer(device, model, stage.optimizer, plan, recipe.precision);
  try {
    if (saved && saved.optimizer.size > 0) trainer.loadOptimizerState(saved.optimizer);
    // A stage begins with a scale of its own.
    trainer.lossScale?.load(saved?.lossScale ?? undefined);
    const loader = await trainingLoader(run, stage, model);
    const validation =
      clips.validation.length > 0
        ? await evaluationLoader(measureContext(run), stage, model, clips.validation)
        : null;
    const size = {
      steps: stage.epochs * loader.steps,
      parameters: model.net.parameterCount(),
      trained: trainedCount(model),
    };
    run.timings.append({ stage: stage.id, ...size });
    events.onStage?.(stage.id, size);
    const schedule = scheduleOf(stage);
    let position = from;
    while (position.epoch <= stage.epochs)
      position = await runEpoch(run, stage, trainer, { loader, validation }, schedule, position);
    const weights = await model.net.stateDict();
    await writeWeights(folder, stage, weights);
    await run.shared?.keep(stage, weights);
    events.onStageEnd?.();
  } finally {
    trainer.dispose();
    model.net.dispose();
  }
}

function writeWeights(folder: RunFolder, { id }: StageSpec, tensors: StateDict): Promise<void> {
  const { recipe } = folder.config;
  const metadata = new Map([
    ['experiment', recipe.name],
    ['model', id],
    writeDefinition({ experiment: recipe, prefixes: { [id]: '' } }),
  ]);
  return writeTensors(weightsFile(folder, id), labels(folder).stage(id), { tensors, metadata });
}

/** Shuffled batches of the training clips and of the extra clips made from them. */
async function trainingLoader(run: Run, stage: StageSpec, model: SceneModel): Promise<Loader> {
  const { folder, clips, cache, signal, events } = run;
  const { recipe } = folder.config;
  const { extraClips, mixup } = stage.augmentation;
  const extras: readonly PreparedClip[] =
    extraClips === null
      ? []
      : await makeExtras(clips.train, extraClips, recipe.seed, {
          cache,
          signal,
          onProgress: (done, total) => events.onExtras?.(done, total),
          onEstimate: (estimate) => events.onEstimate?.(estimate),
        });
  const all = [...clips.train, ...extras];
  const plan = inputPlan(recipe, stage, 'training');
  const sources = await stageSources(model, all, plan, { ...measureContext(run), folder, stage });
  const { stepsPerEpoch } = recipe.limits;
  return createLoader(all, {
    batchSize: recipe.batchSize,
    shuffle: { seed: recipe.seed },
    sources,
    size: recipe.imageSize,
    classes: recipe.scenes.length,
    ...(mixup && { mixup }),
    ...(stepsPerEpoch !== null && { maxSamples: stepsPerEpoch * recipe.batchSize }),
  });
}

/** Number of elements in the parameters that are not frozen. */
function trainedCount({ net }: SceneModel): number {
  const trained = net.parameters().filter(({ requiresGrad }) => requiresGrad);
  return trained.reduce((sum, { numel }) => sum + numel, 0);
}
