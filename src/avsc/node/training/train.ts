// Trains a run from its first step or its checkpoint to its report: one stage after the other.

import { writeFileAtomic } from '../../../node/files.ts';
import { manualSeed } from '../../../tensor/graph/random.ts';
import type { RunResults } from '../../training/records.ts';
import { readCheckpoint, type Checkpoint, type Position } from '../runs/checkpoint.ts';
import { runFiles, writeResults, type RunFolder } from '../runs/folder.ts';
import { LineLog, type Written } from '../runs/line-log.ts';
import { runReport } from '../runs/run-report.ts';
import { measureRun } from './results.ts';
import type { Run, TrainingOptions } from './run.ts';
import { runStage } from './stage.ts';

/**
 * Trains the stages, writes all files of the folder and returns the results on the evaluation split. The same recipe, data and adapter
 * give the same bytes in metrics.jsonl and model.safetensors, however often the run was stopped in between. When the signal
 * aborts, the run is saved and the signal's reason thrown. Throws one sentence if the loss is not finite or the disk is full.
 */
export async function runTraining({ openDevice, resume, ...rest }: TrainingOptions): Promise<RunResults> {
  const { folder } = rest;
  const { recipe } = folder.config;
  const files = runFiles(folder.path);
  const checkpoint = resume ? await readCheckpoint(folder) : undefined;
  const first = firstStage(folder, checkpoint);
  manualSeed(recipe.seed);
  const device = await openDevice();
  const log = new LineLog(files.records, recordsOf(checkpoint));
  const timings = new LineLog(files.timings);
  const run: Run = { ...rest, device, files, log, timings, events: rest.events ?? {} };
  try {
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
  } finally {
    log.close();
    timings.close();
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
