import type { Extent } from '../../kernels/reduce.ts';
import { softmaxForward, softmaxGradient } from '../../kernels/softmax.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import type { Tensor } from '../graph/tensor.ts';
import { dimOf, type DimOption } from './dim_option.ts';
import { extentAt } from './extreme.ts';
import { checkFloats } from './operands.ts';

/*
 * Along one dimension, with m = max x:
 *
 *   softmax     y = exp(x - m) / sum exp(x - m)        dx = y (dy - sum dy y)
 *   logSoftmax  y = x - m - log sum exp(x - m)         dx = dy - exp(y) sum dy
 */

interface SoftmaxAttrs {
  readonly extent: Extent;
  readonly log: boolean;
}

export const softmaxOp: Op<SoftmaxAttrs> = {
  name: 'softmax',
  lower: (context, { inputs, outputs, attrs: { extent, log } }) => [
    softmaxForward(context, one(inputs), one(outputs), extent, log),
  ],
};

const softmaxBackwardOp: Op<SoftmaxAttrs> = {
  name: 'softmax backward',
  lower: (context, { inputs, outputs, attrs: { extent, log } }) => {
    const [dy, y] = two(inputs);
    return [softmaxGradient(context, dy, y, one(outputs), extent, log)];
  },
};

/** Exponentials along `dim`, scaled to sum 1. Throws a RangeError where x has no such dimension, a TypeError for integers. */
export function softmax(x: Tensor, dim: number | DimOption): Tensor {
  return normalized('softmax', x, dim, false);
}

/** Logarithm of softmax, without the loss of precision of taking one after the other. */
export function logSoftmax(x: Tensor, dim: number | DimOption): Tensor {
  return normalized('logSoftmax', x, dim, true);
}

function normalized(what: string, x: Tensor, dim: number | DimOption, log: boolean): Tensor {
  checkFloats(what, { x });
  const attrs = { extent: extentAt(x.shape, dimOf(what, dim), what), log };
  const y = recordOne(softmaxOp, [x], { shape: x.shape }, attrs);
  return differentiable(y, [x], [y], (dy, saved) => [
    recordOne(softmaxBackwardOp, [dy, one(saved)], { shape: dy.shape }, attrs),
  ]);
}
