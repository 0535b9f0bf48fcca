import type { DType } from '../../gpu/dispatch.ts';
import { argExtreme, type Extreme } from '../../kernels/argmax.ts';
import { blocksOf, reduce, type Block, type Extent } from '../../kernels/reduce.ts';
import { selectGradient, shareGradient, spreadGradient } from '../../kernels/reduce_backward.ts';
import { one, three, two } from '../../kernels/tuple.ts';
import { differentiable } from '../autograd.ts';
import { record, recordOne, type Op } from '../op.ts';
import { elementCount, formatShape, normalizeDim, sameShape, sizeAt, type Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/*
 * Reductions over a set of dimensions, y_j = f(x_e for all e that reduce to j).
 *
 *   sum       y = sum x                dx_e = dy_j
 *   mean      y = sum x / n            dx_e = dy_j / n
 *   amax      y = max x                dx_e = dy_j / ties where x_e = y_j, else 0 (amin alike)
 *   max(dim)  y = max x, its place r   dx_e = dy_j at r, else 0: the first of equal maxima (min alike)
 *
 * max(x) and min(x) without a dimension are amax and amin over all, as in PyTorch.
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

/** What max and min along a dimension give. */
export interface ValuesAndIndices {
  readonly values: Tensor;
  /** i32, places along the dimension. */
  readonly indices: Tensor;
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

/** x seen with three dimensions, the middle one being `dim`. Throws a RangeError where there is none. */
export function extentAt(shape: Shape, dim: number): Extent {
  const at = normalizeDim(shape, dim);
  return {
    outer: elementCount(shape.slice(0, at)),
    reduce: sizeAt(shape, at),
    inner: elementCount(shape.slice(at + 1)),
  };
}

// sum and mean

interface SumAttrs {
  readonly blocks: readonly Block[];
  readonly scale: number;
}

const sumOp: Op<SumAttrs> = {
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

const extremeOp: Op<ExtremeAttrs> = {
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

// max and min along a dimension, argmax

interface AlongAttrs {
  readonly kind: Extreme;
  readonly extent: Extent;
}

const alongOp: Op<AlongAttrs> = {
  name: 'max along a dimension',
  lower: (context, { inputs, outputs, attrs }) => {
    const [value, index] = two(outputs);
    return argExtreme(context, attrs.kind, one(inputs), { value, index }, attrs.extent);
  },
};

const argmaxOp: Op<Extent> = {
  name: 'argmax',
  lower: (context, { inputs, outputs, attrs }) => {
    const index = one(outputs);
    return argExtreme(context, 'max', one(inputs), { value: context.temporary(index.length), index }, attrs);
  },
};

const selectOp: Op<Extent> = {
  name: 'max along a dimension backward',
  lower: (context, { inputs, outputs, attrs }) => {
    const [index, dy] = two(inputs);
    return [selectGradient(context, index, dy, one(outputs), attrs)];
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

/** max or min over the middle of three dimensions as which x is seen; for poolings that are one. */
export function extremeAlong(kind: Extreme, x: Tensor, extent: Extent, shape: Shape): ValuesAndIndices {
  const outputs = [{ shape }, { shape, dtype: 'i32' as DType }];
  const [values, indices] = two(record(alongOp, [x], outputs, { kind, extent }));
  const xShape = x.shape;
  differentiable(values, [x], [indices], (dy, saved) => [
    recordOne(selectOp, [one(saved), dy], { shape: xShape }, extent),
  ]);
  return { values, indices };
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
