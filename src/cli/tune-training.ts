// `train --tune`: measures the kernels of a training before it begins.

import type { Experiment } from '../avsc/experiment/experiment.ts';
import { runExampleStep } from '../avsc/training/example-step.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { tuneMultiprocessors, tuneStep, tuningFile } from '../node/tuning.ts';
import { openDevice } from './device.ts';
import { say } from './say.ts';
import { tuningProgress } from './tuning-progress.ts';

/** Tunes the training step of each stage on a device of its own, and keeps the choices in the adapter's file. */
export async function tuneTraining(
  experiment: Experiment,
  choice: AdapterChoice,
  signal: AbortSignal,
): Promise<void> {
  await using device = await openDevice(choice);
  await tuneMultiprocessors(device);
  for (const stage of experiment.stages) {
    const example = await runExampleStep(device, experiment, stage);
    const progress = tuningProgress(stage.id);
    try {
      const { total, known, results } = await tuneStep(device, example.step, {
        onResult: progress.onResult,
        signal,
      });
      const faster = results.filter(({ entry }) => entry.milliseconds < entry.usualMilliseconds);
      say(
        `tuned ${stage.id}: ${total} problems, ${known} known, ${faster.length} faster than by the usual choice`,
      );
    } finally {
      progress.end();
      example.dispose();
    }
  }
  say(`tuned choices are kept in ${tuningFile(device)}`);
}
