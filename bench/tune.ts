import type { CompiledFunction } from '../src/tensor/compile.ts';
import type { Device } from '../src/index.ts';
import { NOTHING_TUNED } from '../src/gpu/tuned.ts';
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
  const training = prepare(device, model, batch);
  const feeds = feedsOf(training, batch);
  const steps: CompiledFunction<StepResult>[] = [];
  const compile = async (): Promise<CompiledFunction<StepResult>> => {
    const step = device.compile(training.step);
    steps.push(step);
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
    device.gpu.tuned = found;
    const times = await inTurns(device, [usual, tuned], feeds);
    return {
      ...summary,
      model,
      batch,
      usualStepMilliseconds: median(times[0] ?? []),
      stepMilliseconds: median(times[1] ?? []),
    };
  } finally {
    for (const step of steps) step.dispose();
    training.dispose();
  }
}

async function inTurns(
  device: Device,
  steps: readonly CompiledFunction<StepResult>[],
  feeds: readonly StepInput[],
): Promise<number[][]> {
  const times = steps.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, step] of steps.entries()) {
      const start = performance.now();
      await step(...feeds);
      await device.gpu.idle();
      times[i]?.push(performance.now() - start);
    }
  }
  return times;
}
