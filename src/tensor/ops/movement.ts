import { broadcastView } from '../../kernels/binary.ts';
import { stridedCopy } from '../../kernels/movement.ts';
import type { View } from '../../kernels/strided.ts';
import { one } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { dimension, namedFirst, required, type OptionKinds } from '../graph/options.ts';
import {
  checkShape,
  contiguousStrides,
  elementCount,
  formatShape,
  normalizeDim,
  sameShape,
  sizeAt,
  type Shape,
} from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';
import { dimOf, type DimOption } from './dim_option.ts';
import { checkTensors, listOf } from './operands.ts';
import { slice } from './parts.ts';
import { sumToShape } from './reduce.ts';
import { reshape } from './reshape.ts';

/*
 * Elements in other places. Each is a strided copy of the whole or of parts; the gradient moves back.
 *
 *   permute   y[i_d0, i_d1, ..] = x[i_0, i_1, ..]       dx = permute of dy by the inverse
 *   expand    x repeated along new dimensions and 1s    dx = sum of dy over the repeats
 *   concat    parts one after another along dim         dx_k = the part of dy that was x_k
 *   flatten, squeeze, unsqueeze                         reshape: nothing moves
 */

// permute

interface PermuteAttrs {
  /** Of the result. */
  readonly shape: Shape;
  /** Of x along the result's dimensions. */
  readonly strides: readonly number[];
  /** Dimension i of the result is dimension dims[i] of x. */
  readonly dims: readonly number[];
}

export const permuteOp: Op<PermuteAttrs> = {
  name: 'permute',
  half: 'all',
  lower: ({ geometry }, { inputs, outputs, attrs: { shape, strides } }) => [
    stridedCopy(
      geometry,
      shape,
      { buffer: one(inputs), view: { offset: 0, strides } },
      { buffer: one(outputs), view: denseView(shape) },
      true,
    ),
  ],
};

/**
 * Reorders dimensions: dimension i of the result is dimension dims[i] of x. permute(x, 1, 0) is permute(x, [1, 0]).
 * Throws a RangeError unless each dimension is named once.
 */
export function permute(x: Tensor, dims: readonly number[] | number, ...more: readonly number[]): Tensor {
  checkTensors('permute', { x });
  const list = listOf('permute', dims, more);
  const order = list.map((dim) => normalizeDim(x.shape, dim, 'permute'));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw new RangeError(
      `permute of ${formatShape(x.shape)} needs each dimension once, got [${list.join(', ')}]`,
    );
  }
  const from = contiguousStrides(x.shape);
  const shape = order.map((dim) => sizeAt(x.shape, dim));
  const strides = order.map((dim) => from[dim] ?? 0);
  const inverse = order.map((_, dim) => order.indexOf(dim));
  const y = recordOne(permuteOp, [x], { shape, dtype: x.dtype }, { shape, strides, dims: order });
  return differentiable(y, [x], [], (dy) => [permute(dy, inverse)]);
}

export interface TransposeOptions {
  readonly dim0: number;
  readonly dim1: number;
}

const TRANSPOSE_OPTIONS: OptionKinds<TransposeOptions> = {
  dim0: required(dimension),
  dim1: required(dimension),
};

/** Swaps two dimensions: transpose(x, 0, 1) or transpose(x, { dim0: 0, dim1: 1 }). */
export function transpose(x: Tensor, dim0: number | TransposeOptions, dim1?: number): Tensor {
  checkTensors('transpose', { x });
  const second = dim1 === undefined ? undefined : { dim1 };
  const options = namedFirst<TransposeOptions>('transpose', 'dim0', dim0, second, TRANSPOSE_OPTIONS);
  const a = normalizeDim(x.shape, options.dim0, 'transpose');
  const b = normalizeDim(x.shape, options.dim1, 'transpose');
  return permute(
    x,
    x.shape.map((_, dim) => (dim === a ? b : dim === b ? a : dim)),
  );
}

// expand

interface ExpandAttrs {
  readonly from: Shape;
  readonly shape: Shape;
}

export const expandOp: Op<ExpandAttrs> = {
  name: 'expand',
  half: 'all',
  lower: ({ geometry }, { inputs, outputs, attrs: { from, shape } }) => [
    stridedCopy(
      geometry,
      shape,
      { buffer: one(inputs), view: broadcastView(from, shape) },
      { buffer: one(outputs), view: denseView(shape) },
      true,
    ),
  ],
};

/**
 * Repeats x along new leading dimensions and those of size 1; -1 keeps a size. expand(x, 2, 3) is expand(x, [2, 3]).
 * Throws a RangeError where another size would change.
 */
export function expand(x: Tensor, shape: Shape | number, ...more: readonly number[]): Tensor {
  checkTensors('expand', { x });
  const sizes = listOf('expand', shape, more);
  const from = x.shape;
  const lead = sizes.length - from.length;
  const to = sizes.map((size, i) => (size === -1 ? (from[i - lead] ?? -1) : size));
  if (lead < 0 || from.some((size, i) => size !== 1 && size !== to[i + lead])) {
    throw new RangeError(`${formatShape(from)} does not expand to ${formatShape(sizes)}`);
  }
  checkShape(to, 'expand');
  const y = recordOne(expandOp, [x], { shape: to, dtype: x.dtype }, { from, shape: to });
  return differentiable(y, [x], [], (dy) => [sumToShape(dy, from)]);
}

// concat

interface ConcatAttrs {
  readonly shapes: readonly Shape[];
  readonly shape: Shape;
  readonly dim: number;
}

export const concatOp: Op<ConcatAttrs> = {
  name: 'concat',
  half: 'all',
  lower: ({ geometry }, { inputs, outputs, attrs: { shapes, shape, dim } }) => {
    const strides = contiguousStrides(shape);
    let offset = 0;
    return inputs.map((buffer, i) => {
      const part = shapes[i] ?? [];
      const to = { buffer: one(outputs), view: { offset, strides } };
      offset += sizeAt(part, dim) * (strides[dim] ?? 0);
      return stridedCopy(geometry, part, { buffer, view: denseView(part) }, to, inputs.length === 1);
    });
  },
};

/**
 * Joins tensors along a dimension; all other sizes and the types agree. Throws a RangeError where sizes differ, a
 * TypeError where types do.
 */
export function concat(tensors: readonly Tensor[], dim: number | DimOption = 0): Tensor {
  checkList('concat', tensors);
  const [first] = tensors;
  if (first === undefined) throw new RangeError('concat needs at least one tensor');
  const shapes = tensors.map(({ shape }) => shape);
  const at = normalizeDim(first.shape, dimOf('concat', dim), 'concat');
  const total = shapes.reduce((sum, shape) => sum + (shape[at] ?? 0), 0);
  const shape = replaceSize(first.shape, at, total);
  for (const tensor of tensors) {
    if (tensor.shape.length === shape.length && sameShape(replaceSize(tensor.shape, at, total), shape))
      continue;
    throw new RangeError(
      `concat along ${at}: shapes ${shapes.map(formatShape).join(' and ')} differ elsewhere`,
    );
  }
  const other = tensors.findIndex(({ dtype }) => dtype !== first.dtype);
  if (other >= 0) {
    const dtype = tensors[other]?.dtype ?? '';
    throw new TypeError(`concat: tensor 0 is ${first.dtype}, tensor ${other} is ${dtype}: cast one of them`);
  }
  const y = recordOne(concatOp, tensors, { shape, dtype: first.dtype }, { shapes, shape, dim: at });
  return differentiable(y, tensors, [], (dy, _, needs) => {
    let end = 0;
    return shapes.map((part, i) => {
      const start = end;
      end += sizeAt(part, at);
      return needs[i] === true ? slice(dy, { dim: at, start, end }) : null;
    });
  });
}

/** Joins tensors of one shape along a new dimension. Throws as `concat` does. */
export function stack(tensors: readonly Tensor[], dim: number | DimOption = 0): Tensor {
  checkList('stack', tensors);
  const [first] = tensors;
  if (first === undefined) throw new RangeError('stack needs at least one tensor');
  const differing = tensors.find(({ shape }) => !sameShape(shape, first.shape));
  if (differing !== undefined) {
    const shapes = `${formatShape(first.shape)} and ${formatShape(differing.shape)}`;
    throw new RangeError(`stack needs tensors of one shape, got ${shapes}`);
  }
  const at = newDim('stack', first.shape, dimOf('stack', dim));
  return concat(
    tensors.map((tensor) => unsqueeze(tensor, at)),
    at,
  );
}

function checkList(what: string, tensors: unknown): void {
  if (!Array.isArray(tensors))
    throw new TypeError(`${what} takes an array of tensors, got ${formatValue(tensors)}`);
  checkTensors(what, Object.fromEntries(tensors.map((tensor, i) => [`tensor ${i}`, tensor as Tensor])));
}

// Reshapes

export interface FlattenOptions {
  /** First dimension merged, by default 0. */
  readonly startDim?: number;
  /** Last dimension merged, by default -1. */
  readonly endDim?: number;
}

const FLATTEN_OPTIONS: OptionKinds<FlattenOptions> = { startDim: dimension, endDim: dimension };

/** Options of the op or the layer `what`. */
export const flattenOptions = (
  what: string,
  start: number | FlattenOptions | undefined,
  end: number | undefined,
): FlattenOptions => {
  const last = end === undefined ? undefined : { endDim: end };
  return namedFirst<FlattenOptions>(what, 'startDim', start, last, FLATTEN_OPTIONS);
};

/** Merges dimensions start to end, both included: flatten(x, 1) or flatten(x, { startDim: 1 }). */
export function flatten(x: Tensor, start?: number | FlattenOptions, end?: number): Tensor {
  checkTensors('flatten', { x });
  const { startDim = 0, endDim = -1 } = flattenOptions('flatten', start, end);
  if (x.shape.length === 0) return reshape(x, [1]);
  const from = normalizeDim(x.shape, startDim, 'flatten');
  const to = normalizeDim(x.shape, endDim, 'flatten');
  if (from > to) throw new RangeError(`flatten: dimension ${startDim} comes after ${endDim}`);
  const merged = elementCount(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to + 1)]);
}

/** Drops a dimension of size 1 (a larger one stays, as in PyTorch), or all of them. */
export function squeeze(x: Tensor, dim?: number | DimOption): Tensor {
  checkTensors('squeeze', { x });
  const at = dim === undefined ? null : normalizeDim(x.shape, dimOf('squeeze', dim), 'squeeze');
  return reshape(
    x,
    x.shape.filter((size, i) => size !== 1 || (at !== null && at !== i)),
  );
}

/** Adds a dimension of size 1 before `dim`, which may be the rank, or -1 for after the last. */
export function unsqueeze(x: Tensor, dim: number | DimOption): Tensor {
  checkTensors('unsqueeze', { x });
  const at = newDim('unsqueeze', x.shape, dimOf('unsqueeze', dim));
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Where a new dimension goes, counted from the front. */
function newDim(what: string, shape: Shape, dim: number): number {
  const rank = shape.length;
  const at = dim < 0 ? dim + rank + 1 : dim;
  if (Number.isInteger(at) && at >= 0 && at <= rank) return at;
  throw new RangeError(
    `${what} of ${formatShape(shape)} takes a dim of -${rank + 1} to ${rank}, got ${formatValue(dim)}`,
  );
}

const denseView = (shape: Shape): View => ({ offset: 0, strides: contiguousStrides(shape) });

const replaceSize = (shape: Shape, dim: number, size: number): number[] =>
  shape.map((old, i) => (i === dim ? size : old));
