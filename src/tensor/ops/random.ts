import {
  dropout as dropoutKernel,
  randomFill,
  type Distribution,
  type Dropout,
} from '../../kernels/random.ts';
import { one } from '../../kernels/tuple.ts';
import { differentiable, isGradEnabled } from '../graph/autograd.ts';
import { refuseForeign } from '../graph/copies.ts';
import { createOn, recordOne, type Op } from '../graph/op.ts';
import { flag, fraction, namedFirst, type OptionKinds } from '../graph/options.ts';
import { randomSeed } from '../graph/random.ts';
import type { RecordingDevice } from '../graph/recording_device.ts';
import type { Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';
import { checkFloats, listOf } from './operands.ts';

/*
 * Random numbers are drawn from (seed, step, op, element), see ../random.ts: the device counts the steps, and every
 * random op of a recording has a number of its own.
 *
 *   dropout   y = m x / (1 - p), m = 0 with probability p, else 1    dx = m dy / (1 - p), m drawn again
 *   rand      uniform in [0, 1)
 *   randn     normal, mean 0 and variance 1
 */

export const dropoutOp: Op<Dropout> = {
  name: 'dropout',
  half: 'all',
  lower: ({ geometry }, { inputs, outputs, attrs }) => [
    dropoutKernel(geometry, one(inputs), one(outputs), attrs),
  ],
};

export interface DropoutOptions {
  /** Probability of dropping an element, in [0, 1]; by default 0.5. */
  readonly p?: number;
  /** Without training, x itself is the result; by default true. */
  readonly training?: boolean;
}

const DROPOUT_OPTIONS: OptionKinds<DropoutOptions> = { p: fraction, training: flag };

/**
 * Sets elements to 0 at random and scales the others up: dropout(x), dropout(x, 0.2) or dropout(x, { p: 0.2, training }).
 * Throws a RangeError where p is no probability, a TypeError for integers.
 */
export function dropout(
  x: Tensor,
  pOrOptions?: number | DropoutOptions,
  options?: Omit<DropoutOptions, 'p'>,
): Tensor {
  const checked = namedFirst<DropoutOptions>('dropout', 'p', pOrOptions, options, DROPOUT_OPTIONS);
  const { p = 0.5, training = true } = checked;
  checkFloats('dropout', { x });
  if (!training || p === 0) return x;
  const { recorder } = x;
  const attrs = { p, op: recorder.nextRandomIndex() };
  const y = recordOne(dropoutOp, [x], { shape: x.shape }, attrs);
  if (!isGradEnabled() || !x.requiresGrad) return y;
  // Known once the forward has run: a backward recorded after that must draw what it drew.
  let past: Dropout['past'];
  recorder.beforeRun(() => (past = { seed: randomSeed.value, step: recorder.randomStep - 1 }));
  return differentiable(y, [x], [], (dy) => [
    recordOne(dropoutOp, [dy], { shape: dy.shape }, past === undefined ? attrs : { ...attrs, past }),
  ]);
}

interface FillAttrs {
  readonly op: number;
}

const fillWith = (name: string, distribution: Distribution): Op<FillAttrs> => ({
  name,
  lower: ({ geometry }, { outputs, attrs }) => [randomFill(geometry, distribution, one(outputs), attrs.op)],
});

const randOp = fillWith('rand', 'uniform');
const randnOp = fillWith('randn', 'normal');

/** Uniform random numbers in [0, 1), new ones in each run: rand(device, [2, 3]) or rand(device, 2, 3). */
export const rand = (device: RecordingDevice, shape: Shape | number, ...more: readonly number[]): Tensor =>
  filled('rand', randOp, device, listOf('rand', shape, more));

/** Normal random numbers with mean 0 and variance 1, new ones in each run; takes a shape as `rand` does. */
export const randn = (device: RecordingDevice, shape: Shape | number, ...more: readonly number[]): Tensor =>
  filled('randn', randnOp, device, listOf('randn', shape, more));

function filled(what: string, op: Op<FillAttrs>, device: RecordingDevice, shape: Shape): Tensor {
  refuseForeign(what, device);
  if (typeof (device as Partial<RecordingDevice> | null)?.nextRandomIndex !== 'function')
    throw new TypeError(`${what} needs a device first: ${what}(device, [2, 3]), got ${formatValue(device)}`);
  return createOn(device, op, { shape }, { op: device.nextRandomIndex() });
}
