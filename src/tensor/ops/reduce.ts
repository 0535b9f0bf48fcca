import { argExtreme, type Extreme } from '../../kernels/argmax.ts';
import { blocksOf, reduce, type Block, type Extent } from '../../kernels/reduce.ts';
import { shareGradient, spreadGradient } from '../../kernels/reduce_backward.ts';
import { one, three, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { elementCount, formatShape, normalizeDim, sameShape, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { extentAt, extremeAlong, type ValuesAndIndices } from './extreme.ts';

export type { ValuesAndIndices } from './extreme.ts';

/*
 * Reductions over a set of dimensions, y_j = f(x_e for all e that reduce to j).
 *
 *   sum       y = sum x                dx_e = dy_j
 *   mean      y = sum x / n            dx_e = dy_j / n
 *   amax      y = max x                dx_e = dy_j / ties where x_e = y_j, else 0 (amin alike)
 *
 * max(x) and min(x) without a dimension are amax and amin over all, as in PyTorch; with one see extreme.ts.
 */

export interface ReduceOptions {
  /** One dimension or several, counted from the end where negative; all where absent. */
  readonly dim?: number | readonly number[];
  /** Keep reduced dimensions with size 1. */
  readonly keepDim?: boolean;
}

export interface AlongOptions extends ReduceOptions {
  readonly dim: number;
}

// Shape rule

interface Plan {
  readonly shape: Shape;
  readonly blocks: readonly Block[];
  /** Elements of x for each of y. */
  readonly count: number;
}

function planOf(x: Tensor, { dim, keepDim }: ReduceOptions, what: string): Plan {
  const list = dim === undefined ? x.shape.map((_, i) => i) : typeof dim === 'number' ? [dim] : dim;
  const reduced = list.map((d) => normalizeDim(x.shape, d));
  if (new Set(reduced).size !== reduced.length) {
    throw new RangeError(
      `${what} of ${formatShape(x.shape)}: a dimension appears twice in [${list.join(', ')}]`,
    );
  }
  const kept = x.shape.map((size, i) => (reduced.includes(i) ? 1 : size));
  const shape = keepDim === true ? kept : kept.filter((_, i) => !reduced.includes(i));
  return {
    shape,
    blocks: blocksOf(x.shape, reduced),
    count: elementCount(x.shape) / elementCount(shape),
  };
}

// sum and mean

interface SumAttrs {
  readonly blocks: readonly Block[];
  readonly scale: number;
}

export const sumOp: Op<SumAttrs> = {
  name: 'sum',
  lower: (context, { inputs, outputs, attrs }) =>
    reduce(context, 'sum', one(inputs), one(outputs), attrs.blocks, attrs.scale),
};

const spreadOp: Op<SumAttrs> = {
  name: 'sum backward',
  lower: (context, { inputs, outputs, attrs }) => [
    spreadGradient(context, one(inputs), one(outputs), attrs.blocks, attrs.scale),
  ],
};

/** Sum over `dim`. */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { shape, blocks } = planOf(x, options, 'sum');
  return scaledSum(x, shape, { blocks, scale: 1 });
}

/** Mean over `dim`. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { shape, blocks, count } = planOf(x, options, 'mean');
  return scaledSum(x, shape, { blocks, scale: 1 / count });
}

/**
 * Sums a tensor that was broadcast back to `shape`: backward of broadcasting. Gives `x` itself where its shape is
 * `shape` already. Throws a RangeError where `shape` does not broadcast to the shape of `x`.
 */
export function sumToShape(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const reduced = x.shape.flatMap((size, i) =>
    i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : [],
  );
  if (lead < 0 || x.shape.some((size, i) => i >= lead && !reduced.includes(i) && size !== shape[i - lead])) {
    throw new RangeError(`${formatShape(shape)} does not broadcast to ${formatShape(x.shape)}`);
  }
  return scaledSum(x, shape, { blocks: blocksOf(x.shape, reduced), scale: 1 });
}

function scaledSum(x: Tensor, shape: Shape, attrs: SumAttrs): Tensor {
  const y = recordOne(sumOp, [x], { shape }, attrs);
  const xShape = x.shape;
  return differentiable(y, [x], [], (dy) => [recordOne(spreadOp, [dy], { shape: xShape }, attrs)]);
}

// amax and amin

interface ExtremeAttrs {
  readonly kind: Extreme;
  readonly blocks: readonly Block[];
}

export const extremeOp: Op<ExtremeAttrs> = {
  name: 'amax',
  lower: (context, { inputs, outputs, attrs }) =>
    reduce(context, attrs.kind, one(inputs), one(outputs), attrs.blocks),
};

const extremeBackwardOp: Op<ExtremeAttrs> = {
  name: 'amax backward',
  lower: (context, { inputs, outputs, attrs }) => {
    const [x, y, dy] = three(inputs);
    return shareGradient(context, x, y, dy, one(outputs), attrs.blocks);
  },
};

/** Maximum over `dim`; NaN where there is one. Equal maxima share the gradient. */
export function amax(x: Tensor, options: ReduceOptions = {}): Tensor {
  return extreme('max', x, options);
}

/** Minimum over `dim`; NaN where there is one. Equal minima share the gradient. */
export function amin(x: Tensor, options: ReduceOptions = {}): Tensor {
  return extreme('min', x, options);
}

function extreme(kind: Extreme, x: Tensor, options: ReduceOptions): Tensor {
  const { shape, blocks } = planOf(x, options, `a${kind}`);
  const y = recordOne(extremeOp, [x], { shape }, { kind, blocks });
  return differentiable(y, [x], [x, y], (dy, saved) => {
    const [x, y] = two(saved);
    return [recordOne(extremeBackwardOp, [x, y, dy], { shape: x.shape }, { kind, blocks })];
  });
}

// max, min, argmax

export const argmaxOp: Op<Extent> = {
  name: 'argmax',
  lower: (context, { inputs, outputs, attrs }) => {
    const index = one(outputs);
    return argExtreme(context, 'max', one(inputs), { value: context.temporary(index.length), index }, attrs);
  },
};

/** Without `dim` the maximum of all elements, like `amax`; with it the maxima along it and their first places. */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, options: AlongOptions): ValuesAndIndices;
export function max(x: Tensor, options?: AlongOptions): Tensor | ValuesAndIndices {
  return options === undefined ? amax(x) : along('max', x, options);
}

/** Without `dim` the minimum of all elements, like `amin`; with it the minima along it and their first places. */
export function min(x: Tensor): Tensor;
export function min(x: Tensor, options: AlongOptions): ValuesAndIndices;
export function min(x: Tensor, options?: AlongOptions): Tensor | ValuesAndIndices {
  return options === undefined ? amin(x) : along('min', x, options);
}

function along(kind: Extreme, x: Tensor, options: AlongOptions): ValuesAndIndices {
  const { shape } = planOf(x, options, kind);
  return extremeAlong(kind, x, extentAt(x.shape, options.dim), shape);
}

/** Place (i32) of the first maximum along `dim`, or in the row-major order of all elements. */
export function argmax(
  x: Tensor,
  options: { readonly dim?: number; readonly keepDim?: boolean } = {},
): Tensor {
  const { shape } = planOf(x, options, 'argmax');
  const { dim } = options;
  const extent = dim === undefined ? { outer: 1, reduce: x.numel, inner: 1 } : extentAt(x.shape, dim);
  return recordOne(argmaxOp, [x], { shape, dtype: 'i32' }, extent);
}
