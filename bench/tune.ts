import type { CompiledFunction } from '../src/tensor/compile.ts';
import type { Device } from '../src/index.ts';
import { NOTHING_TUNED, type Tuned } from '../src/gpu/tuned.ts';
import { tuneStep } from '../src/node/tuning.ts';
import type { StepInput, StepResult } from '../src/tensor/trace.ts';
import type { TuneResult, TuneSummary } from '../src/tensor/tune/tune.ts';
import { feedsOf, prepare, type ModelName } from './model.ts';
import { median } from './report.ts';

export interface TunedModel extends TuneSummary {
  readonly model: ModelName;
  readonly batch: number;
  /** Median time of a training step by the usual choices, and by what is tuned: measured in turns. */
  readonly usualStepMilliseconds: number;
  readonly stepMilliseconds: number;
}

const ROUNDS = 5;

/** Tunes a net's training step, and times the step with the usual choices and the tuned ones in turns. */
export async function tuneModel(
  device: Device,
  model: ModelName,
  batch: number,
  options: {
    readonly onResult: (result: TuneResult, done: number, total: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<TunedModel> {
  const made: { dispose(): void }[] = [];
  let feeds: readonly StepInput[] = [];
  // Each with an optimizer of its own: another one's step would have a function traced anew.
  const compile = async (): Promise<CompiledFunction<StepResult>> => {
    const training = prepare(device, model, batch);
    const step = device.compile(training.step);
    made.push(step, training);
    feeds = feedsOf(training, batch);
    await step(...feeds);
    await step(...feeds);
    await device.gpu.idle();
    return step;
  };
  try {
    const step = await compile();
    const summary = await tuneStep(device, step, options);
    step.dispose();
    const tuned = await compile();
    const found = device.gpu.tuned;
    device.gpu.tuned = NOTHING_TUNED;
    const usual = await compile();
    const times = await inTurns(device, [usual, tuned], [NOTHING_TUNED, found], feeds);
    device.gpu.tuned = found;
    return {
      ...summary,
      model,
      batch,
      usualStepMilliseconds: median(times[0] ?? []),
      stepMilliseconds: median(times[1] ?? []),
    };
  } finally {
    for (const one of made) one.dispose();
  }
}

async function inTurns(
  device: Device,
  steps: readonly CompiledFunction<StepResult>[],
  tables: readonly Tuned[],
  feeds: readonly StepInput[],
): Promise<number[][]> {
  const times = steps.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, step] of steps.entries()) {
      // Should the step be traced anew, by the same choices.
      device.gpu.tuned = tables[i] ?? NOTHING_TUNED;
      const start = performance.now();
      await step(...feeds);
      await device.gpu.idle();
      times[i]?.push(performance.now() - start);
    }
  }
  return times;
}
