import { argExtreme, type Extreme } from '../../kernels/argmax.ts';
import { blocksOf, reduce, type Block, type Extent } from '../../kernels/reduce.ts';
import { shareGradient, spreadGradient } from '../../kernels/reduce_backward.ts';
import { one, three, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { dimension, flag, namedFirst, required, type OptionKinds } from '../graph/options.ts';
import { elementCount, formatShape, normalizeDim, sameShape, type Shape } from '../graph/shape.ts';
import { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';
import { extentAt, extremeAlong, type ValuesAndIndices } from './extreme.ts';
import { checkFloats, checkTensors } from './operands.ts';

export type { ValuesAndIndices } from './extreme.ts';

/*
 * Reductions over a set of dimensions, y_j = f(x_e for all e that reduce to j).
 *
 *   sum       y = sum x                dx_e = dy_j
 *   mean      y = sum x / n            dx_e = dy_j / n
 *   amax      y = max x                dx_e = dy_j / ties where x_e = y_j, else 0 (amin alike)
 *
 * max(x) and min(x) without a dimension are amax and amin over all, as in PyTorch; with one see extreme.ts.
 *
 * Integers stay what they are; their sums wrap around (PyTorch's are int64). `mean` takes f32 alone. The dimension stands
 * alone or among the options: sum(x, 1), sum(x, [0, 2], { keepDim: true }), sum(x, { dim: 1, keepDim: true }).
 */

/** One dimension or several, counted from the end where negative. */
export type Dims = number | readonly number[];

export interface ReduceOptions {
  /** All where absent. */
  readonly dim?: Dims;
  /** Keep reduced dimensions with size 1. */
  readonly keepDim?: boolean;
}

/** The options that may follow a dimension. */
export type KeepDimOption = Omit<ReduceOptions, 'dim'>;

export interface AlongOptions extends ReduceOptions {
  readonly dim: number;
}

export interface ArgmaxOptions extends ReduceOptions {
  readonly dim?: number;
}

const REDUCE_OPTIONS: OptionKinds<ReduceOptions> = { dim: dimension, keepDim: flag };
const ALONG_OPTIONS: OptionKinds<ReduceOptions> = { ...REDUCE_OPTIONS, dim: required(dimension) };

// Shape rule

interface Plan {
  readonly shape: Shape;
  readonly blocks: readonly Block[];
  /** Elements of x for each of y. */
  readonly count: number;
}

function optionsOf(
  x: Tensor,
  dim: Dims | ReduceOptions | undefined,
  rest: KeepDimOption | undefined,
  what: string,
  kinds = REDUCE_OPTIONS,
): ReduceOptions {
  checkTensors(what, { x });
  return namedFirst<ReduceOptions>(what, 'dim', dim, rest, kinds);
}

function planOf(x: Tensor, { dim, keepDim }: ReduceOptions, what: string): Plan {
  const list =
    dim === undefined
      ? x.shape.map((_, i) => i)
      : Array.isArray(dim)
        ? Array.from(dim as Dims & object)
        : [dim as number];
  // PyTorch takes no dimensions for all, NumPy for none.
  if (dim !== undefined && list.length === 0)
    throw new RangeError(`${what}: dim is empty: leave it out to reduce all of ${formatShape(x.shape)}`);
  const reduced = list.map((d) => normalizeDim(x.shape, d, what));
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
  half: { inputs: 'all' },
  lower: (context, { inputs, outputs, attrs }) =>
    reduce(context, 'sum', one(inputs), one(outputs), attrs.blocks, attrs.scale),
};

const spreadOp: Op<SumAttrs> = {
  name: 'sum backward',
  half: { outputs: 'all' },
  lower: (context, { inputs, outputs, attrs }) => [
    spreadGradient(context, one(inputs), one(outputs), attrs.blocks, attrs.scale),
  ],
};

/** Sum over `dim`, or of all elements. Throws a RangeError where x has no such dimension. */
export function sum(x: Tensor, dim?: Dims | ReduceOptions, options?: KeepDimOption): Tensor {
  const { shape, blocks } = planOf(x, optionsOf(x, dim, options, 'sum'), 'sum');
  return scaledSum(x, shape, { blocks, scale: 1 });
}

/** Mean over `dim`, or of all elements. Throws a RangeError where x has no such dimension, a TypeError for integers. */
export function mean(x: Tensor, dim?: Dims | ReduceOptions, options?: KeepDimOption): Tensor {
  checkFloats('mean', { x });
  const { shape, blocks, count } = planOf(x, optionsOf(x, dim, options, 'mean'), 'mean');
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
  const y = recordOne(sumOp, [x], { shape, dtype: x.dtype }, attrs);
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
  half: 'all',
  lower: (context, { inputs, outputs, attrs }) =>
    reduce(context, attrs.kind, one(inputs), one(outputs), attrs.blocks),
};

const extremeBackwardOp: Op<ExtremeAttrs> = {
  name: 'amax backward',
  half: 'all',
  lower: (context, { inputs, outputs, attrs }) => {
    const [x, y, dy] = three(inputs);
    return shareGradient(context, x, y, dy, one(outputs), attrs.blocks);
  },
};

/** Maximum over `dim`; NaN where there is one. Equal maxima share the gradient. */
export function amax(x: Tensor, dim?: Dims | ReduceOptions, options?: KeepDimOption): Tensor {
  return extreme('max', x, optionsOf(x, dim, options, 'amax'));
}

/** Minimum over `dim`; NaN where there is one. Equal minima share the gradient. */
export function amin(x: Tensor, dim?: Dims | ReduceOptions, options?: KeepDimOption): Tensor {
  return extreme('min', x, optionsOf(x, dim, options, 'amin'));
}

function extreme(kind: Extreme, x: Tensor, options: ReduceOptions): Tensor {
  const { shape, blocks } = planOf(x, options, `a${kind}`);
  const y = recordOne(extremeOp, [x], { shape, dtype: x.dtype }, { kind, blocks });
  return differentiable(y, [x], [x, y], (dy, saved) => {
    const [x, y] = two(saved);
    return [recordOne(extremeBackwardOp, [x, y, dy], { shape: x.shape }, { kind, blocks })];
  });
}

// max, min, argmax

export const argmaxOp: Op<Extent> = {
  name: 'argmax',
  lower: (context, { inputs, outputs, attrs }) => {
    const [x, index] = [one(inputs), one(outputs)];
    return argExtreme(context, 'max', x, { value: context.temporary(index.length, x.dtype), index }, attrs);
  },
};

/** Without `dim` the maximum of all elements, like `amax`; with it the maxima along it and their first places. */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, dim: number | AlongOptions, options?: KeepDimOption): ValuesAndIndices;
export function max(
  x: Tensor,
  dim?: number | AlongOptions,
  options?: KeepDimOption,
): Tensor | ValuesAndIndices {
  return dim === undefined ? amax(x, undefined, options) : along('max', x, dim, options);
}

/** Without `dim` the minimum of all elements, like `amin`; with it the minima along it and their first places. */
export function min(x: Tensor): Tensor;
export function min(x: Tensor, dim: number | AlongOptions, options?: KeepDimOption): ValuesAndIndices;
export function min(
  x: Tensor,
  dim?: number | AlongOptions,
  options?: KeepDimOption,
): Tensor | ValuesAndIndices {
  return dim === undefined ? amin(x, undefined, options) : along('min', x, dim, options);
}

function along(
  kind: Extreme,
  x: Tensor,
  dimOrOptions: number | AlongOptions,
  rest: KeepDimOption | undefined,
): ValuesAndIndices {
  if (dimOrOptions instanceof Tensor) throw new TypeError(`${kind} of two tensors is ${kind}imum(a, b)`);
  const { dim, keepDim = false } = optionsOf(x, dimOrOptions, rest, kind, ALONG_OPTIONS);
  const at = oneDim(x.shape, dim, kind);
  return extremeAlong(kind, x, extentAt(x.shape, at, kind), shapeWithout(x.shape, at, keepDim));
}

/** The one dimension of ops that take no list of them. */
function oneDim(shape: Shape, dim: Dims | undefined, what: string): number {
  if (Array.isArray(dim)) throw new TypeError(`${what} takes one dim, got ${formatValue(dim)}`);
  return normalizeDim(shape, dim as number, what);
}

const shapeWithout = (shape: Shape, dim: number, keepDim: boolean): Shape =>
  shape.flatMap((size, i) => (i !== dim ? [size] : keepDim ? [1] : []));

/** Place (i32) of the first maximum along `dim`, or in the row-major order of all elements. */
export function argmax(x: Tensor, dim?: number | ArgmaxOptions, options?: KeepDimOption): Tensor {
  const { dim: along, keepDim = false } = optionsOf(x, dim, options, 'argmax');
  if (along === undefined) {
    const shape = keepDim ? x.shape.map(() => 1) : [];
    return recordOne(argmaxOp, [x], { shape, dtype: 'i32' }, { outer: 1, reduce: x.numel, inner: 1 });
  }
  const at = oneDim(x.shape, along, 'argmax');
  const shape = shapeWithout(x.shape, at, keepDim);
  return recordOne(argmaxOp, [x], { shape, dtype: 'i32' }, extentAt(x.shape, at, 'argmax'));
}
