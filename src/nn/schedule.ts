import {
  checkOptions,
  checkValue,
  notNegative,
  number,
  required,
  type OptionKinds,
} from '../tensor/graph/options.ts';

/*
 * Learning rates as pure functions of how far training is. Time is in any unit, fractions included: epochs as
 * `step / stepsPerEpoch`, or steps. Use: `adam.lr = schedule(step / stepsPerEpoch)` before each step.
 */
export type Schedule = (time: number) => number;

/** Always `lr`. */
export function constant(lr: number): Schedule {
  checkValue('constant', 'lr', lr, notNegative);
  return () => lr;
}

export interface StepDecayOptions {
  readonly every: number;
  readonly gamma?: number;
}

const STEP_DECAY_OPTIONS: OptionKinds<StepDecayOptions> = { every: required(number()), gamma: notNegative };

/** `lr` times `gamma` for each `every` that has passed (PyTorch's StepLR). */
export function stepDecay(lr: number, options: StepDecayOptions): Schedule {
  checkValue('stepDecay', 'lr', lr, notNegative);
  const { every, gamma = 0.1 } = checkOptions('stepDecay', options, STEP_DECAY_OPTIONS);
  checkPositive('every', every);
  return (time) => lr * gamma ** Math.floor(time / every);
}

export interface CosineOptions {
  readonly length: number;
  readonly minLr?: number;
}

const COSINE_OPTIONS: OptionKinds<CosineOptions> = { length: required(number()), minLr: notNegative };

/** Half a cosine from `lr` down to `minLr` at `length`, constant after it (PyTorch's CosineAnnealingLR over one cycle). */
export function cosine(lr: number, options: CosineOptions): Schedule {
  checkValue('cosine', 'lr', lr, notNegative);
  const { length, minLr = 0 } = checkOptions('cosine', options, COSINE_OPTIONS);
  checkPositive('length', length);
  return (time) => anneal(lr, minLr, Math.min(time / length, 1));
}

export interface WarmRestartOptions {
  readonly minLr?: number;
  readonly restarts?: readonly number[];
}

const WARM_RESTART_OPTIONS: OptionKinds<WarmRestartOptions> = {
  minLr: notNegative,
  restarts: { what: 'an array of epochs', accepts: Array.isArray },
};

/**
 * Cosine with warm restarts (SGDR, Loshchilov and Hutter 2017) as the FCNN was published with: time is in epochs
 * from 0; `restarts` are the epochs, counted from 1, that begin at `lr` again, so that cycles last 2, 4, 8, 16, 32 and 64
 * epochs; each ends at `minLr`. After the last restart the cycle is twice as long as the one before, then `minLr` stays.
 */
export function cosineWarmRestarts(lr: number, options: WarmRestartOptions = {}): Schedule {
  checkValue('cosineWarmRestarts', 'lr', lr, notNegative);
  checkOptions('cosineWarmRestarts', options, WARM_RESTART_OPTIONS);
  const { minLr = 1e-5, restarts = [3, 7, 15, 31, 63, 127] } = options;
  const starts = [0, ...restarts.map((epoch) => epoch - 1)];
  if (restarts.length === 0 || starts.some((start, i) => i > 0 && !(start > (starts[i - 1] ?? 0)))) {
    throw new RangeError(
      `restarts must be epochs that increase from 2 or more, got [${restarts.join(', ')}]`,
    );
  }
  const [before = 0, last = 0] = starts.slice(-2);
  const ends = [...starts.slice(1), last + 2 * (last - before)];
  return (time) => {
    const cycle = starts.findLastIndex((start) => start <= time);
    const start = starts[cycle] ?? 0;
    const end = ends[cycle] ?? start + 1;
    return anneal(lr, minLr, Math.min((time - start) / (end - start), 1));
  };
}

const anneal = (from: number, to: number, part: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;

function checkPositive(name: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${name} must be positive, got ${value}`);
}
