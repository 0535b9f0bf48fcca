import { blocksOf, reduce } from '../../kernels/reduce.ts';
import { crossEntropyGradient, crossEntropyLosses } from '../../kernels/softmax.ts';
import { one, three, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { namedFirst, oneOf, type OptionKinds } from '../graph/options.ts';
import { formatShape, sameShape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { checkFloats, checkTensors } from './operands.ts';

/*
 * Cross entropy of logits x [N, C] with a target: probabilities t [N, C], or classes, for which t is one-hot.
 *
 *   loss_n = sum_c t_nc (logsumexp(x_n) - x_nc)       dx_nc = dloss_n (softmax(x_n)_c sum_c t_nc - t_nc)
 *
 * `mean` divides the sum of the losses by N, for both kinds of target, as PyTorch does. As there, a logit of -Infinity makes the
 * loss NaN even where its probability is 0.
 */

export interface CrossEntropyOptions {
  /** `none` gives the loss of every row, [N]. Default 'mean'. */
  readonly reduction?: 'mean' | 'sum' | 'none';
}

interface LossAttrs {
  readonly rows: number;
  /** One loss for each row rather than one for all. */
  readonly each: boolean;
  readonly scale: number;
}

/** logits, target -> losses [rows], or their sum times scale. */
const crossEntropyOp: Op<LossAttrs> = {
  name: 'crossEntropy',
  lower: (context, { inputs, outputs, attrs: { rows, each, scale } }) => {
    const [logits, target] = two(inputs);
    const loss = one(outputs);
    if (each) return [crossEntropyLosses(context, logits, target, loss)];
    const losses = context.temporary(rows);
    return [
      crossEntropyLosses(context, logits, target, losses),
      ...reduce(context, 'sum', losses, loss, blocksOf([rows], [0]), scale),
    ];
  },
};

const crossEntropyBackwardOp: Op<LossAttrs> = {
  name: 'crossEntropy backward',
  lower: (context, { inputs, outputs, attrs }) => {
    const [dy, logits, target] = three(inputs);
    return [crossEntropyGradient(context, { dy, logits, target, dlogits: one(outputs) }, attrs)];
  },
};

const LOSS_OPTIONS: OptionKinds<CrossEntropyOptions> = { reduction: oneOf('mean', 'sum', 'none') };

/**
 * Cross entropy of logits [N, C] with classes (i32 or u32, [N]) or probabilities (f32, [N, C]). A class outside 0 .. C - 1
 * is refused where the host knows it, and gives NaN where it was computed on the device. crossEntropy(x, t, 'sum') is crossEntropy(x, t, { reduction: 'sum' }). Gradients flow to the logits alone.
 * Throws a RangeError or TypeError where the target does not fit.
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options?: CrossEntropyOptions | 'mean' | 'sum' | 'none',
): Tensor {
  checkFloats('crossEntropy', { logits });
  checkTensors('crossEntropy', { target });
  const { reduction = 'mean' } = namedFirst<CrossEntropyOptions>(
    'crossEntropy',
    'reduction',
    options,
    undefined,
    LOSS_OPTIONS,
  );
  const [rows] = logits.shape;
  if (rows === undefined || logits.shape.length !== 2) {
    throw new RangeError(`crossEntropy needs logits of shape [N, C], got ${formatShape(logits.shape)}`);
  }
  checkTarget(logits, target, rows);
  const each = reduction === 'none';
  const attrs = { rows, each, scale: reduction === 'mean' ? 1 / rows : 1 };
  const loss = recordOne(crossEntropyOp, [logits, target], { shape: each ? [rows] : [] }, attrs);
  return differentiable(loss, [logits], [logits, target], (dy, saved) => {
    const [x, t] = two(saved);
    return [recordOne(crossEntropyBackwardOp, [dy, x, t], { shape: x.shape }, attrs)];
  });
}

function checkTarget(logits: Tensor, target: Tensor, rows: number): void {
  switch (target.dtype) {
    case 'i32':
    case 'u32':
      if (sameShape(target.shape, [rows])) {
        target.recorder.requireRange(target, logits.shape[1] ?? 0, 'crossEntropy: class');
        return;
      }
      throw new RangeError(
        `crossEntropy of logits ${formatShape(logits.shape)} needs classes of shape [${rows}], got ${formatShape(target.shape)}`,
      );
    case 'f32':
      if (sameShape(target.shape, logits.shape)) return;
      throw new RangeError(
        `crossEntropy of logits ${formatShape(logits.shape)} needs probabilities of that shape, got ${formatShape(target.shape)} (classes are i32 or u32)`,
      );
    case 'f16':
    case 'u8':
      throw new TypeError(
        `crossEntropy needs a target of dtype i32 or u32 (classes) or f32 (probabilities), got ${target.dtype}`,
      );
  }
}
