// Trains a run from its first step or its checkpoint to its report: one stage after the other.

import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '../../../node/files.ts';
import { DeviceLostError } from '../../../tensor/device.ts';
import { asError } from '../../../tensor/graph/errors.ts';
import { manualSeed } from '../../../tensor/graph/random.ts';
import type { RunResults } from '../../training/records.ts';
import { precisionOn } from '../../training/trainer.ts';
import { readCheckpoint, type Checkpoint, type Position } from '../runs/checkpoint.ts';
import { runFiles, writeResults, type RunFolder } from '../runs/folder.ts';
import { LineLog, type Written } from '../runs/line-log.ts';
import { runReport } from '../runs/run-report.ts';
import { useTunedOf } from '../runs/tuned.ts';
import { measureRun } from './results.ts';
import type { Run, TrainingOptions } from './run.ts';
import { runStage } from './stage.ts';

/** Losses of the device in a row, with no checkpoint written in between, after which a run gives up. */
const LOSSES = 5;

/**
 * Trains the stages, writes all files of the folder and returns the results on the evaluation split. The same recipe, data and adapter
 * give the same bytes in metrics.jsonl and model.safetensors, however often the run was stopped in between or its device was lost: a
 * lost one is opened again, and the run goes on from its last checkpoint. When the signal
 * aborts, the run is saved and the signal's reason thrown. Throws one sentence if the loss is not finite, the disk is full, or the
 * device is lost again and again.
 */
export async function runTraining(options: TrainingOptions): Promise<RunResults> {
  let { resume } = options;
  let lost = 0;
  for (;;) {
    const checkpoint = resume ? await readCheckpoint(options.folder) : undefined;
    // A driver that was reset may need a moment.
    if (lost > 1) await sleep(1000 * (lost - 1), undefined, { signal: options.signal });
    const openDevice = lost === 0 ? options.openDevice : () => reopen(options.openDevice);
    try {
      return await trainFrom({ ...options, openDevice }, checkpoint, () => (lost = 0));
    } catch (error) {
      if (!(error instanceof DeviceLostError) || options.signal.aborted) throw error;
      if (++lost > LOSSES)
        throw new Error(`the device was lost ${lost} times in a row without progress: ${error.message}`, {
          cause: error,
        });
      options.events?.onDeviceLost?.(error.reason, lost);
      resume = true;
    }
  }
}

/** A device that cannot be opened again counts as lost once more. */
const reopen = (openDevice: TrainingOptions['openDevice']): ReturnType<TrainingOptions['openDevice']> =>
  openDevice().catch((error: unknown) => {
    throw new DeviceLostError({ reason: 'unknown', message: asError(error).message });
  });

/** Trains on a device of its own, from the checkpoint if there is one. Throws a DeviceLostError if it loses the device. */
async function trainFrom(
  { openDevice, ...rest }: TrainingOptions,
  checkpoint: Checkpoint | undefined,
  onSave: () => void,
): Promise<RunResults> {
  const { folder } = rest;
  const { recipe } = folder.config;
  const files = runFiles(folder.path);
  const first = firstStage(folder, checkpoint);
  manualSeed(recipe.seed);
  const device = await openDevice();
  const untune = await useTunedOf(folder.path, device, checkpoint !== undefined);
  const log = new LineLog(files.records, recordsOf(checkpoint));
  const timings = new LineLog(files.timings);
  const run: Run = { ...rest, device, files, log, timings, events: rest.events ?? {}, onSave };
  try {
    if (precisionOn(device, recipe.precision) !== recipe.precision)
      run.events.onNoHalves?.(device.description.name);
    timings.append({ device: device.description.name, resumedAt: checkpoint?.position ?? null });
    for (const [i, stage] of recipe.stages.entries()) {
      if (i < first) continue;
      const saved = i === first ? checkpoint : undefined;
      const start: Position = {
        stage: stage.id,
        epoch: 1,
        step: 0,
        totalSteps: 0,
        lossSum: 0,
        recordBytes: log.bytes,
        recordSum: log.sum,
      };
      await runStage(run, stage, saved?.position ?? start, saved);
    }
    const { results, predictions } = await measureRun(run);
    await writeResults(folder.path, results);
    const report = await runReport({
      folder,
      device: device.description.name,
      clips: rest.clips.train,
      results,
      predictions,
    });
    await writeFileAtomic(files.report, report);
    return results;
  } catch (error) {
    return await device.gpu.explain(error);
  } finally {
    log.close();
    timings.close();
    untune();
    if (device.gpu.isLost) await device.destroy();
  }
}

/** What metrics.jsonl held when the checkpoint was written. */
const recordsOf = (checkpoint: Checkpoint | undefined): Written => ({
  bytes: checkpoint?.position.recordBytes ?? 0,
  sum: checkpoint?.position.recordSum ?? 0,
});

/** Index of the stage that a run begins with or goes on with. */
function firstStage({ path, config }: RunFolder, checkpoint: Checkpoint | undefined): number {
  if (checkpoint === undefined) return 0;
  const { stage } = checkpoint.position;
  const found = config.recipe.stages.findIndex(({ id }) => id === stage);
  if (found >= 0) return found;
  throw new Error(
    `${runFiles(path).checkpoint} is of the stage ${stage}, which the run's config.json does not have`,
  );
}
