// One epoch of a stage: steps in flight, records, checkpoints.

import type { StageSpec } from '../../experiment/experiment.ts';
import type { Precision } from '../../../tensor/graph/recording.ts';
import type { Schedule } from '../../../nn/schedule.ts';
import type { EpochRecord } from '../../training/records.ts';
import type { TrainedStep, Trainer } from '../../training/trainer.ts';
import { inputPlan } from '../../training/plan.ts';
import type { Batch, Loader } from '../data/loader.ts';
import { writeCheckpoint, type Position } from '../runs/checkpoint.ts';
import { measurePredictions, predictAll } from '../runs/evaluate.ts';
import type { Run } from './run.ts';

/** Steps in flight: the next step waits for the loss of the oldest. */
const IN_FLIGHT = 3;

interface Loaders {
  readonly loader: Loader;
  readonly validation: Loader | null;
}

/** Trains to the end of the current epoch, measures and saves; returns the beginning of the next epoch. */
export async function runEpoch(
  run: Run,
  stage: StageSpec,
  trainer: Trainer,
  { loader, validation }: Loaders,
  schedule: Schedule,
  from: Position,
): Promise<Position> {
  const { device, folder, log, timings, signal, events } = run;
  const { epoch } = from;
  const { recipe } = folder.config;
  const { batchSize } = recipe;
  const started = performance.now();
  let waiting = 0;
  let position = from;
  const pending: (() => Promise<void>)[] = [];
  const settle = async (left: number): Promise<void> => {
    while (pending.length > left) await pending.shift()?.();
  };
  const batches = loader.batches(epoch, from.step);
  const next = async (): Promise<Batch | undefined> => {
    const asked = performance.now();
    const { value } = await batches.next();
    waiting += performance.now() - asked;
    return value ?? undefined;
  };
  try {
    for (let batch = await next(); batch !== undefined; batch = await next()) {
      const { step } = batch;
      const lr = schedule(epoch - 1 + step / loader.steps);
      // Random numbers depend on the number of the step alone, not on other work of the device.
      device.randomStep = from.totalSteps + step - from.step;
      const keys = batch.rowSamples.map((sample) => sample?.key ?? null);
      const results = readStep(trainer, await trainer.step({ ...batch, keys }, batchSize, lr));
      results.catch(() => undefined); // The rejection is handled where `pending` is awaited.
      pending.push(async () => {
        const { loss: value, scale } = await results;
        if (!Number.isFinite(value))
          throw new Error(divergence(stage, recipe.precision, epoch, step + 1, value));
        log.append({ kind: 'step', stage: stage.id, epoch, step: step + 1, lr, loss: value, ...scale });
        position = {
          ...position,
          step: step + 1,
          totalSteps: position.totalSteps + 1,
          lossSum: position.lossSum + value,
          recordBytes: log.bytes,
          recordSum: log.sum,
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
    await batches.return();
  }
  const seconds = (performance.now() - started) / 1000;
  const plan = inputPlan(recipe, stage, 'evaluation');
  const metrics =
    validation &&
    measurePredictions(
      await predictAll(device, trainer.model, plan, validation, { precision: recipe.precision }),
    );
  const record: EpochRecord = {
    kind: 'epoch',
    stage: stage.id,
    epoch,
    loss: position.lossSum / loader.steps,
    ...(metrics && { validation: { accuracy: metrics.accuracy.macro, logLoss: metrics.logLoss } }),
  };
  log.append(record);
  timings.append({
    stage: stage.id,
    epoch,
    seconds,
    steps: loader.steps - from.step,
    waiting: waiting / 1000,
  });
  events.onEpoch?.(record);
  const end = {
    ...position,
    epoch: epoch + 1,
    step: 0,
    lossSum: 0,
    recordBytes: log.bytes,
    recordSum: log.sum,
  };
  await save(run, trainer, end);
  signal.throwIfAborted();
  return end;
}

/** Reads what a step gives, late, so that the device does not wait. */
async function readStep({ lossScale }: Trainer, step: TrainedStep) {
  const [loss, words] = await Promise.all([step.loss.item(), step.lossScale?.data()]);
  if (lossScale === null || !(words instanceof Uint32Array)) return { loss };
  const { scale, skipped } = lossScale.decode(words);
  return { loss, scale: { lossScale: scale, skipped } };
}

async function save({ folder, log, onSave }: Run, trainer: Trainer, position: Position): Promise<void> {
  const [model, optimizer, lossScale = null] = await Promise.all([
    trainer.model.net.stateDict(),
    trainer.optimizerState(),
    trainer.lossScale?.state(),
  ]);
  log.flush();
  await writeCheckpoint(folder, { position, model, optimizer, lossScale });
  onSave();
}

function divergence(
  { id, model }: StageSpec,
  precision: Precision,
  epoch: number,
  step: number,
  loss: number,
): string {
  const option = model.kind === 'joint' ? '--lr' : '--lr-unimodal';
  const other = precision === 'f16' ? ', or with --precision f32' : '';
  return `the ${id} model's loss became ${loss} in epoch ${epoch}, step ${step}: train with a smaller ${option}${other}`;
}
