// Trains a run from its first step or its checkpoint to its report: audio net, video net, joint net.

import { writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import type { Schedule } from '../../../nn/schedule.ts';
import { writeFileAtomic } from '../../../node/files.ts';
import type { Device } from '../../../tensor/device.ts';
import { manualSeed } from '../../../tensor/graph/random.ts';
import {
  STAGES,
  type EpochRecord,
  type RunRecord,
  type RunResults,
  type Stage,
} from '../../training/records.ts';
import type { Metrics } from '../../training/metrics.ts';
import { scheduleOf } from '../../presets.ts';
import { createModels, pictureInput, type SceneModel } from '../../training/model.ts';
import { MODALITIES, type Modality } from '../../models/joint.ts';
import { extractorNames, frozenIn, type Recipe } from '../../training/recipe.ts';
import { createTrainer, type Trainer } from '../../training/trainer.ts';
import { readCheckpoint, writeCheckpoint, type Checkpoint, type Position } from '../runs/checkpoint.ts';
import { measurePredictions, predictAll } from '../runs/evaluate.ts';
import { loadExtractors, loadModel } from '../runs/load.ts';
import { LineLog } from '../runs/line-log.ts';
import type { RunReport } from '../report/data.ts';
import { renderRunReport } from '../report/run.ts';
import { createLoader, type Loader, type Sources } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { readRecords, runFiles, writeResults, type RunFolder } from '../runs/folder.ts';
import { stageSources } from '../runs/stage-sources.ts';

export interface TrainingData {
  readonly train: readonly PreparedClip[];
  /** Clips measured after each epoch; may be empty. */
  readonly validation: readonly PreparedClip[];
  /** Clips measured at the end. */
  readonly evaluate: readonly PreparedClip[];
}

/** Callbacks during a training. */
export interface TrainingEvents {
  /** The model has `parameters` elements, `trained` of which are not frozen. */
  onStage?(
    stage: Stage,
    size: { readonly steps: number; readonly parameters: number; readonly trained: number },
  ): void;
  /** `done` of `total` seconds are embedded by a frozen extractor. */
  onEmbedding?(part: Modality, done: number, total: number): void;
  /** `done` of the stage's `steps` are finished. */
  onStep?(done: number, loss: number): void;
  onEpoch?(record: EpochRecord): void;
  onStageEnd?(): void;
  onEvaluation?(stage: Stage): void;
}

export interface TrainingOptions {
  readonly folder: RunFolder;
  readonly data: TrainingData;
  /** Folder of the decoded clips. */
  readonly cache: string;
  /** Called after the seed is set, because a device takes its seed when it is created. */
  readonly openDevice: () => Promise<Device>;
  /** Resumes from the folder's checkpoint, if it has one. */
  readonly resume: boolean;
  /** Steps between two checkpoints, in addition to the one after each epoch. */
  readonly saveEvery: number;
  readonly signal: AbortSignal;
  readonly events?: TrainingEvents;
}

/** Steps in flight: the next step waits for the loss of the oldest. */
const IN_FLIGHT = 3;

/** State that stays the same throughout a run. */
interface Run extends Omit<TrainingOptions, 'openDevice' | 'resume'> {
  readonly device: Device;
  readonly files: ReturnType<typeof runFiles>;
  readonly log: LineLog;
  readonly timings: LineLog;
  readonly events: TrainingEvents;
}

const START: Position = { stage: 'audio', epoch: 1, step: 0, totalSteps: 0, lossSum: 0, recordBytes: 0 };

/**
 * Trains the three models, writes all files of the folder and returns the results on the evaluation split. The same recipe,
 * data and adapter give the same bytes in metrics.jsonl and model.safetensors, however often the run was stopped in between.
 * When the signal aborts, the run is saved and the signal's reason thrown. Throws one sentence if the loss is not finite or
 * the disk is full.
 */
export async function runTraining({ openDevice, resume, ...rest }: TrainingOptions): Promise<RunResults> {
  const { folder } = rest;
  const files = runFiles(folder.path);
  const checkpoint = resume ? await readCheckpoint(files.checkpoint) : undefined;
  const start = checkpoint?.position ?? START;
  manualSeed(folder.config.recipe.seed);
  const { recipe: chosen } = folder.config;
  const models = createModels(chosen.preset, extractorNames(chosen));
  const device = await openDevice();
  const log = new LineLog(files.records, start.recordBytes);
  const timings = new LineLog(files.timings);
  const run: Run = { ...rest, device, files, log, timings, events: rest.events ?? {} };
  try {
    timings.append({ device: device.description.name, resumedAt: start.totalSteps });
    let totalSteps = start.totalSteps;
    for (const stage of STAGES.slice(STAGES.indexOf(start.stage))) {
      const position =
        stage === start.stage ? start : { ...START, stage, totalSteps, recordBytes: log.bytes };
      totalSteps = await runStage(
        run,
        models[stage],
        position,
        stage === start.stage ? checkpoint : undefined,
      );
    }
    const { results, stages } = await evaluateRun(run);
    await writeResults(folder.path, results);
    const records = await readRecords(folder.path);
    const report = reportOf(folder, stages, records, results, device.description.name);
    await writeFileAtomic(files.report, await renderRunReport(report));
    return results;
  } finally {
    log.close();
    timings.close();
  }
}

const WHAT: Readonly<Record<Stage, string>> = {
  audio: 'Audio extractor on log-mel, linear head',
  video: 'Visual extractor on two pictures, linear head',
  joint: 'Both extractors, fusion MLP',
};

function reportOf(
  { path, config }: RunFolder,
  stages: RunReport['stages'],
  records: readonly RunRecord[],
  results: RunResults,
  device: string,
): RunReport {
  return {
    title: path,
    description: 'Audio-visual scene classification, trained with wavelight.',
    data: config.data,
    device,
    finished: new Date().toISOString(),
    stages,
    final: 'joint',
    steps: records.filter((record) => record.kind === 'step'),
    epochs: records.filter((record) => record.kind === 'epoch'),
    timings: [],
    results,
    examples: [],
    augmentations: [],
    experiment: config.recipe,
  };
}

/** Trains one stage from `from` on and writes its weights; returns the finished steps of the run. */
async function runStage(run: Run, model: SceneModel, from: Position, saved?: Checkpoint): Promise<number> {
  const { device, folder, files, data, events } = run;
  const { recipe } = folder.config;
  const { stage } = model;
  const phase = recipe.phases[stage];
  freeze(model, recipe);
  if (saved && saved.model.size > 0) model.net.loadStateDict(saved.model);
  else await loadExtractors(folder, model);
  model.net.to(device);
  const trainer = createTrainer(device, model, phase.optimizer);
  try {
    if (saved && saved.optimizer.size > 0) trainer.loadOptimizerState(saved.optimizer);
    const sources = await sourcesOf(run, model, data.train);
    const loader = await createLoader(data.train, {
      batchSize: recipe.batchSize,
      shuffle: { seed: recipe.seed },
      sources,
      picture: pictureInput(recipe.preset, extractorNames(recipe)),
    });
    const validation =
      data.validation.length > 0 ? await evaluationLoader(run, model, data.validation) : null;
    const schedule = scheduleOf(phase);
    events.onStage?.(stage, {
      steps: phase.epochs * loader.steps,
      parameters: model.net.parameterCount(),
      trained: trainedCount(model),
    });
    let position = from;
    while (position.epoch <= phase.epochs)
      position = await runEpoch(run, trainer, { loader, validation }, schedule, position);
    const weights = await model.net.stateDict();
    await writeFileAtomic(
      files.weights(stage),
      writeSafetensors(
        weights,
        new Map([
          ['preset', recipe.preset],
          ['model', stage],
        ]),
      ),
    );
    events.onStageEnd?.();
    return position.totalSteps;
  } finally {
    trainer.dispose();
    model.net.dispose();
  }
}

/** Trains to the end of the current epoch, measures and saves; returns the beginning of the next epoch. */
async function runEpoch(
  run: Run,
  trainer: Trainer,
  { loader, validation }: { readonly loader: Loader; readonly validation: Loader | null },
  schedule: Schedule,
  from: Position,
): Promise<Position> {
  const { device, folder, log, timings, signal, events } = run;
  const { epoch } = from;
  const { stage } = trainer.model;
  const { batchSize } = folder.config.recipe;
  const started = performance.now();
  let position = from;
  const pending: (() => Promise<void>)[] = [];
  const settle = async (left: number): Promise<void> => {
    while (pending.length > left) await pending.shift()?.();
  };
  try {
    for await (const batch of loader.batches(epoch, from.step)) {
      const { step } = batch;
      const lr = schedule(epoch - 1 + step / loader.steps);
      // Random numbers depend on the number of the step alone, not on other work of the device.
      device.randomStep = from.totalSteps + step - from.step;
      const loss = (await trainer.step(batch, batchSize, lr)).item();
      loss.catch(() => undefined); // The rejection is handled where `pending` is awaited.
      pending.push(async () => {
        const value = await loss;
        if (!Number.isFinite(value)) throw new Error(divergence(stage, epoch, step + 1, value));
        log.append({ kind: 'step', stage, epoch, step: step + 1, lr, loss: value });
        position = {
          ...position,
          step: step + 1,
          totalSteps: position.totalSteps + 1,
          lossSum: position.lossSum + value,
          recordBytes: log.bytes,
        };
        events.onStep?.((epoch - 1) * loader.steps + step + 1, value);
      });
      await settle(IN_FLIGHT - 1);
      const due = (step + 1) % run.saveEvery === 0 && step + 1 < loader.steps;
      if (due || signal.aborted) {
        await settle(0);
        await save(run, trainer, position);
        signal.throwIfAborted();
      }
    }
    await settle(0);
  } finally {
    pending.length = 0;
  }
  const metrics = validation && measurePredictions(await predictAll(device, trainer.model, validation));
  const record: EpochRecord = {
    kind: 'epoch',
    stage,
    epoch,
    loss: position.lossSum / loader.steps,
    ...(metrics && { validation: { accuracy: metrics.accuracy.macro, logLoss: metrics.logLoss } }),
  };
  log.append(record);
  timings.append({
    stage,
    epoch,
    seconds: (performance.now() - started) / 1000,
    steps: loader.steps - from.step,
  });
  events.onEpoch?.(record);
  const next = { ...position, epoch: epoch + 1, step: 0, lossSum: 0, recordBytes: log.bytes };
  await save(run, trainer, next);
  signal.throwIfAborted();
  return next;
}

async function save({ files, log }: Run, trainer: Trainer, position: Position): Promise<void> {
  const [model, optimizer] = await Promise.all([trainer.model.net.stateDict(), trainer.optimizerState()]);
  log.flush();
  await writeCheckpoint(files.checkpoint, { position, model, optimizer });
}

function sourcesOf(run: Run, model: SceneModel, clips: readonly PreparedClip[]): Promise<Sources> {
  const { events } = run;
  const onEmbedding: TrainingEvents['onEmbedding'] = (...args) => events.onEmbedding?.(...args);
  return stageSources(model, clips, { ...run, onEmbedding });
}

/** A loader of all samples of the clips in order, with the sources of a stage's model. */
async function evaluationLoader(
  run: Run,
  model: SceneModel,
  clips: readonly PreparedClip[],
): Promise<Loader> {
  const { recipe } = run.folder.config;
  return createLoader(clips, {
    batchSize: recipe.batchSize,
    sources: await sourcesOf(run, model, clips),
    picture: pictureInput(recipe.preset, extractorNames(recipe)),
  });
}

/** Freezes what the recipe freezes in the model's stage. */
function freeze({ stage, net }: SceneModel, recipe: Recipe): void {
  const frozen = frozenIn(stage, recipe);
  net.freeze(frozen.length === MODALITIES.length ? 'both' : (frozen[0] ?? 'none'));
}

/** Number of elements in the parameters that are not frozen. */
function trainedCount({ net }: SceneModel): number {
  const trained = net.parameters().filter(({ requiresGrad }) => requiresGrad);
  return trained.reduce((sum, { numel }) => sum + numel, 0);
}

/** Metrics of the three trained models on the evaluation split, and their sizes. */
async function evaluateRun(run: Run): Promise<{ results: RunResults; stages: RunReport['stages'] }> {
  const { device, folder, data, signal, events } = run;
  const stages: RunReport['stages'][number][] = [];
  const evaluate = async (stage: Stage): Promise<Metrics> => {
    events.onEvaluation?.(stage);
    const model = await loadModel(folder, stage, device);
    try {
      freeze(model, folder.config.recipe);
      stages.push({
        id: stage,
        what: WHAT[stage],
        parameters: model.net.parameterCount(),
        trained: trainedCount(model),
      });
      const loader = await evaluationLoader(run, model, data.evaluate);
      return measurePredictions(await predictAll(device, model, loader, { signal }));
    } finally {
      model.net.dispose();
    }
  };
  const results = {
    audio: await evaluate('audio'),
    video: await evaluate('video'),
    joint: await evaluate('joint'),
  };
  return { results, stages };
}

function divergence(stage: Stage, epoch: number, step: number, loss: number): string {
  const option = stage === 'joint' ? '--lr' : '--lr-unimodal';
  return `the ${stage} model's loss became ${loss} in epoch ${epoch}, step ${step}: train with a smaller ${option}`;
}
