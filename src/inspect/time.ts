import { Profiler } from '../gpu/profiler.ts';
import type { CompiledFunction } from '../tensor/compile.ts';
import type { StepInput, StepResult } from '../tensor/trace.ts';

export interface TimeOptions {
  /** Calls that are measured, after one that is not. At least 1; default 5. */
  readonly repeats?: number;
}

/** Medians over the calls, in milliseconds. */
export interface StepTimes {
  /** A whole call, from asking for it to its end on the device. */
  readonly milliseconds: number;
  /** Each dispatch on the device, in the order of `inspect`; null where they cannot be timed apart. */
  readonly dispatches: readonly number[] | null;
  /** What limits these times, in a sentence; null where nothing does. */
  readonly note: string | null;
}

/** Browsers round timestamps to this, unless they are told otherwise. */
const ROUNDED_MS = 0.1;

/**
 * Times calls of a compiled function, which therefore runs `repeats` + 1 times, or twice as often where its dispatches are timed
 * apart: a training step trains on. Throws a RangeError for `repeats` below 1.
 */
export async function time(
  step: CompiledFunction<StepResult>,
  inputs: readonly StepInput[],
  { repeats = 5 }: TimeOptions = {},
): Promise<StepTimes> {
  if (!Number.isInteger(repeats) || repeats < 1)
    throw new RangeError(`time: repeats must be a whole number from 1 up, got ${repeats}`);
  const { gpu } = step.device.runtime;
  await step(...inputs);
  await gpu.idle();
  const whole: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await step(...inputs);
    await gpu.idle();
    whole.push(performance.now() - start);
  }
  const milliseconds = median(whole);
  if (!Profiler.supports(gpu)) {
    const note = `${gpu.description.name} has no timestamp-query here, so only the whole call is timed, not each kernel.`;
    return { milliseconds, dispatches: null, note };
  }
  const profiler = new Profiler(gpu);
  try {
    step.profile(profiler);
    for (let i = 0; i < repeats; i++) await step(...inputs);
    const all = (await profiler.times()).map((one) => one.milliseconds);
    const count = all.length / repeats;
    const dispatches = Array.from({ length: count }, (_, at) =>
      median(Array.from({ length: repeats }, (_, i) => all[i * count + at] ?? NaN)),
    );
    return { milliseconds, dispatches, note: roundingOf(all) };
  } finally {
    step.profile(undefined);
    profiler.destroy();
  }
}

/** Timestamps of full precision are no multiples of a tenth of a millisecond. */
function roundingOf(times: readonly number[]): string | null {
  const rounded = times.every((time) => Math.abs(time / ROUNDED_MS - Math.round(time / ROUNDED_MS)) < 1e-6);
  return rounded
    ? 'This browser rounds timestamps to 0.1 ms, so that shorter kernels show 0 or 0.1 ms.'
    : null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = NaN, high = low] = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
  return (low + high) / 2;
}
