import { Profiler } from '../gpu/profiler.ts';
import type { CompiledFunction } from '../tensor/compile.ts';
import type { StepInput, StepResult } from '../tensor/trace.ts';

export interface TimeOptions {
  /** Calls that are measured, after one that is not. At least 1; default 5. */
  readonly repeats?: number;
}

/** In milliseconds. */
export interface StepTimes {
  /** A whole call, from asking for it to its end on the device: the median. */
  readonly milliseconds: number;
  /** Each dispatch on the device, in the order of `inspect`: medians, see `note`; null where they cannot be timed apart. */
  readonly dispatches: readonly number[] | null;
  /** What limits these times, in a sentence; null where nothing does. */
  readonly note: string | null;
}

/** Browsers round timestamps to this, unless they are told otherwise. */
const ROUNDED_MS = 0.1;
/** Rounded times are averaged over so many calls, as far as they end within this time. */
const AVERAGED = { calls: 200, milliseconds: 1000 };

/**
 * Times calls of a compiled function, which therefore runs at least `repeats` + 1 times, twice that where its dispatches are timed
 * apart, and up to a second longer where timestamps are rounded: a training step trains on. Throws a RangeError for `repeats` below 1.
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
  step.profile(profiler);
  try {
    const calls: number[][] = [];
    const measure = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await step(...inputs);
        calls.push((await profiler.times()).map((one) => one.milliseconds));
      }
    };
    await measure(repeats);
    const more = Math.min(AVERAGED.calls, AVERAGED.milliseconds / milliseconds) - repeats;
    if (areRounded(calls)) await measure(Math.max(0, Math.floor(more)));
    return { milliseconds, ...typicalTimes(calls) };
  } finally {
    step.profile(undefined);
    profiler.destroy();
  }
}

/** Timestamps of full precision are no multiples of a tenth of a millisecond. */
const areRounded = (calls: readonly (readonly number[])[]): boolean =>
  calls.flat().every((time) => Math.abs(time / ROUNDED_MS - Math.round(time / ROUNDED_MS)) < 1e-6);

/** Times of the dispatches out of those of each call: medians, or means where the timestamps are rounded. */
export function typicalTimes(calls: readonly (readonly number[])[]): Pick<StepTimes, 'dispatches' | 'note'> {
  const rounded = areRounded(calls);
  const typical = rounded ? mean : median;
  const dispatches = (calls[0] ?? []).map((_, at) => typical(calls.map((call) => call[at] ?? NaN)));
  if (!rounded) return { dispatches, note: null };
  const note = `This browser rounds timestamps to ${ROUNDED_MS} ms, so that the kernels' times are means over ${calls.length} calls.`;
  return { dispatches, note };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = NaN, high = low] = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
  return (low + high) / 2;
}
