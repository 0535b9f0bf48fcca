import { batchNormApply, batchNormRunningStats, batchNormStats, type NormShape } from '../../kernels/norm.ts';
import { batchNormInputGradient, batchNormSums } from '../../kernels/norm_backward.ts';
import { one, three, two } from '../../kernels/tuple.ts';
import { differentiable, noGrad } from '../graph/autograd.ts';
import { accumulateOp, fillOp } from '../graph/basic_ops.ts';
import { createOn, record, recordOne, type Op } from '../graph/op.ts';
import {
  checkOptions,
  flag,
  fraction,
  notNegative,
  operand,
  orNull,
  type OptionKinds,
} from '../graph/options.ts';
import { elementCount, formatShape, sameShape, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { div, sub } from './binary.ts';
import { checkFloats } from './operands.ts';

/*
 * Batch normalisation (Ioffe & Szegedy 2015), per channel c over the n = N * L elements of x [N, C, L]:
 *
 *   y = xhat * weight + bias,  xhat = (x - mean) * invstd,  invstd = 1 / sqrt(var + eps)
 *
 * In training mean and var (sum of squares / n) are those of the batch, and the running ones move towards them by
 * momentum (the variance towards its unbiased estimate, as in PyTorch), or by 1 / t with the t-th batch where momentum is
 * null, which makes them the averages of all batches; in evaluation the running ones are used.
 *
 *   dweight = sum dy * xhat,  dbias = sum dy
 *   dx = weight * invstd * (dy - dbias / n - xhat * dweight / n)    training
 *   dx = weight * invstd * dy                                       evaluation
 */

export interface BatchNormOptions {
  /** Scale, [C]; 1 where absent. */
  readonly weight?: Tensor | null;
  /** Shift, [C]; 0 where absent. */
  readonly bias?: Tensor | null;
  /** Running mean, [C]; changed in place when training. Needed for evaluation. */
  readonly runningMean?: Tensor | null;
  /** Running variance, [C]; changed in place when training. Needed for evaluation. */
  readonly runningVar?: Tensor | null;
  /** Use the batch's own statistics. Default false, as in PyTorch's functional form. */
  readonly training?: boolean;
  /**
   * Weight of the new statistics in the running ones, 0 to 1. Default 0.1. Null makes the running ones the average over all
   * batches, which `numBatchesTracked` counts.
   */
  readonly momentum?: number | null;
  /** Batches seen so far, f32 of one element; counted on in place when training with momentum null. */
  readonly numBatchesTracked?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

const BATCH_NORM_OPTIONS: OptionKinds<BatchNormOptions> = {
  weight: operand,
  bias: operand,
  runningMean: operand,
  runningVar: operand,
  training: flag,
  momentum: orNull(fraction),
  numBatchesTracked: operand,
  eps: notNegative,
};

// Shape rule

function normShapeOf(x: Shape): NormShape {
  const [batch, channels, ...rest] = x;
  if (batch === undefined || channels === undefined) {
    throw new RangeError(`batchNorm2d needs [N, C, H, W] or [N, C], got ${formatShape(x)}`);
  }
  return { batch, channels, length: elementCount(rest) };
}

function checkChannels(tensors: Readonly<Record<string, Tensor | null>>, channels: number): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor !== null && !sameShape(tensor.shape, [channels])) {
      throw new RangeError(
        `batchNorm2d over ${channels} channels needs ${name} of shape [${channels}], got ${formatShape(tensor.shape)}`,
      );
    }
  }
}

// Forward

interface StatsAttrs {
  readonly shape: NormShape;
  readonly eps: number;
}

interface TrackedAttrs extends StatsAttrs {
  readonly momentum: number;
}

interface ApplyAttrs {
  readonly shape: NormShape;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
}

/** x -> [mean, invstd] of the batch, [2, C]. */
export const batchStatsOp: Op<StatsAttrs> = {
  name: 'batchNorm statistics',
  half: { inputs: [0] },
  lower: (context, { inputs, outputs, attrs: { shape, eps } }) =>
    batchNormStats(context, one(inputs), one(outputs), shape, eps, null),
};

/** x, runningMean, runningVar -> the same, moving the running statistics. */
export const trackedStatsOp: Op<TrackedAttrs> = {
  name: 'batchNorm statistics',
  half: { inputs: [0] },
  mutates: [1, 2],
  lower: (context, { inputs, outputs, attrs: { shape, eps, momentum } }) => {
    const [x, mean, variance] = three(inputs);
    return batchNormStats(context, x, one(outputs), shape, eps, { mean, variance, momentum });
  },
};

/** runningMean, runningVar -> [mean, invstd]. */
export const runningStatsOp: Op<number> = {
  name: 'batchNorm running statistics',
  lower: (context, { inputs, outputs, attrs: eps }) => {
    const [mean, variance] = two(inputs);
    return [batchNormRunningStats(context, mean, variance, one(outputs), eps)];
  },
};

/** x, stats, weight?, bias? -> y. */
export const applyOp: Op<ApplyAttrs> = {
  name: 'batchNorm apply',
  half: { inputs: [0], outputs: 'all' },
  lower: (context, { inputs: [x, stats, ...affine], outputs, attrs: { shape, hasWeight, hasBias } }) => {
    if (x === undefined || stats === undefined) throw new Error('batchNorm apply needs x and its statistics');
    const weight = (hasWeight ? affine[0] : null) ?? null;
    const bias = (hasBias ? affine.at(-1) : null) ?? null;
    return [batchNormApply(context, x, stats, { weight, bias }, one(outputs), shape)];
  },
};

/**
 * Normalises each channel of x [N, C, H, W] (or [N, C], or any [N, C, ...]) and scales it. Throws a RangeError where
 * a parameter is not [C], where training sees one value per channel, or where evaluation lacks running statistics; a
 * TypeError for integers.
 */
export function batchNorm2d(x: Tensor, options: BatchNormOptions = {}): Tensor {
  checkOptions('batchNorm2d', options, BATCH_NORM_OPTIONS);
  const { weight = null, bias = null, runningMean = null, runningVar = null } = options;
  const { training = false, momentum = 0.1, numBatchesTracked = null, eps = 1e-5 } = options;
  checkFloats('batchNorm2d', { x, weight, bias, runningMean, runningVar, numBatchesTracked });
  const shape = normShapeOf(x.shape);
  checkChannels({ weight, bias, runningMean, runningVar }, shape.channels);
  const stats = training
    ? batchStats(x, shape, runningMean, runningVar, momentum ?? numBatchesTracked, eps)
    : runningStats(runningMean, runningVar, eps);
  const affine = [weight, bias].filter((tensor) => tensor !== null);
  const attrs = { shape, hasWeight: weight !== null, hasBias: bias !== null };
  const y = recordOne(applyOp, [x, stats, ...affine], { shape: x.shape }, attrs);
  const saved = weight === null ? [x, stats] : [x, stats, weight];
  return differentiable(y, [x, ...affine], saved, (dy, tensors, needs) =>
    batchNormBackward(dy, tensors, needs, attrs, training),
  );
}

function batchStats(
  x: Tensor,
  shape: NormShape,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  /** Or the number of batches, to average all. */
  momentum: number | Tensor | null,
  eps: number,
): Tensor {
  if (shape.batch * shape.length === 1) {
    throw new RangeError(
      `batchNorm2d in training needs more than one value per channel, got ${formatShape(x.shape)}: use a larger batch`,
    );
  }
  if ((runningMean === null) !== (runningVar === null)) {
    throw new RangeError('batchNorm2d needs runningMean and runningVar together, or neither');
  }
  const output = { shape: [2, shape.channels] };
  if (runningMean === null || runningVar === null)
    return recordOne(batchStatsOp, [x], output, { shape, eps });
  if (typeof momentum === 'number')
    return recordOne(trackedStatsOp, [x, runningMean, runningVar], output, { shape, eps, momentum });
  if (momentum?.numel !== 1) {
    const given = momentum === null ? 'none' : formatShape(momentum.shape);
    throw new RangeError(
      `batchNorm2d with momentum null needs numBatchesTracked of one element, got ${given}`,
    );
  }
  return averagedStats(x, shape, [runningMean, runningVar], momentum, eps);
}

/** Counts the batch and moves each running statistic by 1 / count: the average over all batches. */
function averagedStats(
  x: Tensor,
  shape: NormShape,
  running: readonly [Tensor, Tensor],
  count: Tensor,
  eps: number,
): Tensor {
  const { device } = x;
  const filled = (like: Tensor, value: number): Tensor =>
    createOn(device, fillOp, { shape: like.shape }, value);
  return device.scope(() =>
    noGrad(() => {
      // From 0 and with momentum 1 they become the batch's own.
      const moves = running.map((average) => ({ average, batch: filled(average, 0) }));
      const inputs = [x, ...moves.map(({ batch }) => batch)];
      const attrs = { shape, eps, momentum: 1 };
      const stats = recordOne(trackedStatsOp, inputs, { shape: [2, shape.channels] }, attrs);
      record(accumulateOp, [count, filled(count, 1)], [], null);
      for (const { average, batch } of moves)
        record(accumulateOp, [average, div(sub(batch, average), count)], [], null);
      return stats;
    }),
  );
}

function runningStats(runningMean: Tensor | null, runningVar: Tensor | null, eps: number): Tensor {
  if (runningMean === null || runningVar === null) {
    throw new RangeError(
      'batchNorm2d in evaluation needs runningMean and runningVar: pass them, or training: true',
    );
  }
  return recordOne(runningStatsOp, [runningMean, runningVar], { shape: [2, runningMean.numel] }, eps);
}

// Backward

/** dy, x, stats -> dweight, dbias. */
export const sumsOp: Op<NormShape> = {
  name: 'batchNorm sums',
  half: { inputs: [0, 1] },
  lower: (context, { inputs, outputs, attrs: shape }) => {
    const [dy, x, stats] = three(inputs);
    const [dweight, dbias] = two(outputs);
    return batchNormSums(context, dy, x, stats, { dweight, dbias }, shape);
  },
};

interface InputGradientAttrs {
  readonly shape: NormShape;
  readonly training: boolean;
}

/** dy, stats, then in training x, dweight, dbias, then weight if there is one -> dx. */
export const inputGradientOp: Op<InputGradientAttrs> = {
  name: 'batchNorm backward',
  half: { inputs: [0, 2], outputs: 'all' },
  lower: (context, { inputs: [dy, stats, ...rest], outputs, attrs: { shape, training } }) => {
    if (dy === undefined || stats === undefined)
      throw new Error('batchNorm backward needs dy and the statistics');
    const [x, dweight, dbias] = training ? three(rest.slice(0, 3)) : [dy, stats, stats];
    const weight = rest[training ? 3 : 0] ?? null;
    const batch = training ? { x, sums: { dweight, dbias } } : null;
    return [batchNormInputGradient(context, { dy, stats, weight, training: batch, dx: one(outputs) }, shape)];
  },
};

function batchNormBackward(
  dy: Tensor,
  [x, stats, weight]: readonly Tensor[],
  [needX, ...needAffine]: readonly boolean[],
  { shape, hasWeight, hasBias }: ApplyAttrs,
  training: boolean,
): (Tensor | null)[] {
  if (x === undefined || stats === undefined) throw new Error('batchNorm2d saved x and its statistics');
  const vector = { shape: [shape.channels] };
  const wantsSums = needAffine.includes(true) || (needX === true && training);
  const sums = wantsSums ? two(record(sumsOp, [dy, x, stats], [vector, vector], shape)) : null;
  const batch = training && sums !== null ? [x, ...sums] : [];
  const scale = weight === undefined ? [] : [weight];
  const inputs = [dy, stats, ...batch, ...scale];
  const dx = needX ? recordOne(inputGradientOp, inputs, { shape: x.shape }, { shape, training }) : null;
  const [dweight, dbias] = sums ?? [null, null];
  return [dx, ...(hasWeight ? [dweight] : []), ...(hasBias ? [dbias] : [])];
}
