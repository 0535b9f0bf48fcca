import { broadcastView } from '../../kernels/binary.ts';
import { stridedCopy } from '../../kernels/movement.ts';
import type { View } from '../../kernels/strided.ts';
import { one } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import {
  contiguousStrides,
  elementCount,
  formatShape,
  normalizeDim,
  sameShape,
  sizeAt,
  type Shape,
} from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
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

/** Reorders dimensions: dimension i of the result is dimension dims[i] of x. */
export function permute(x: Tensor, dims: readonly number[]): Tensor {
  const order = dims.map((dim) => normalizeDim(x.shape, dim));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw new RangeError(
      `permute of ${formatShape(x.shape)} needs each dimension once, got [${dims.join(', ')}]`,
    );
  }
  const from = contiguousStrides(x.shape);
  const shape = order.map((dim) => sizeAt(x.shape, dim));
  const strides = order.map((dim) => from[dim] ?? 0);
  const inverse = order.map((_, dim) => order.indexOf(dim));
  const y = recordOne(permuteOp, [x], { shape, dtype: x.dtype }, { shape, strides, dims: order });
  return differentiable(y, [x], [], (dy) => [permute(dy, inverse)]);
}

/** Swaps two dimensions. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const a = normalizeDim(x.shape, dim0);
  const b = normalizeDim(x.shape, dim1);
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

/** Repeats x along new leading dimensions and those of size 1; -1 keeps a size. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const from = x.shape;
  const lead = shape.length - from.length;
  const to = shape.map((size, i) => (size === -1 ? (from[i - lead] ?? -1) : size));
  if (lead < 0 || from.some((size, i) => size !== 1 && size !== to[i + lead])) {
    throw new RangeError(`${formatShape(from)} does not expand to ${formatShape(shape)}`);
  }
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

/** Joins tensors along a dimension; all other sizes and the types agree. */
export function concat(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors;
  if (first === undefined) throw new RangeError('concat needs at least one tensor');
  const shapes = tensors.map(({ shape }) => shape);
  const at = normalizeDim(first.shape, dim);
  const total = shapes.reduce((sum, shape) => sum + (shape[at] ?? 0), 0);
  const shape = replaceSize(first.shape, at, total);
  for (const tensor of tensors) {
    if (tensor.shape.length === shape.length && sameShape(replaceSize(tensor.shape, at, total), shape))
      continue;
    throw new RangeError(
      `concat along ${at}: shapes ${shapes.map(formatShape).join(' and ')} differ elsewhere`,
    );
  }
  if (tensors.some(({ dtype }) => dtype !== first.dtype))
    throw new TypeError('concat: the tensors have different types');
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

/** Joins tensors of one shape along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return concat(
    tensors.map((tensor) => unsqueeze(tensor, dim)),
    dim,
  );
}

// Reshapes

/** Merges dimensions start to end, both included. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.shape.length === 0) return reshape(x, [1]);
  const from = normalizeDim(x.shape, start);
  const to = normalizeDim(x.shape, end);
  if (from > to) throw new RangeError(`flatten: dimension ${start} comes after ${end}`);
  const merged = elementCount(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to + 1)]);
}

/** Drops a dimension of size 1 (a larger one stays, as in PyTorch), or all of them. */
export function squeeze(x: Tensor, dim?: number): Tensor {
  const at = dim === undefined ? null : normalizeDim(x.shape, dim);
  return reshape(
    x,
    x.shape.filter((size, i) => size !== 1 || (at !== null && at !== i)),
  );
}

/** Adds a dimension of size 1 before `dim`, which may be the rank, or -1 for after the last. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const rank = x.shape.length;
  const at = dim < 0 ? dim + rank + 1 : dim;
  if (!Number.isInteger(at) || at < 0 || at > rank) {
    throw new RangeError(`unsqueeze of ${formatShape(x.shape)} takes -${rank + 1} to ${rank}, got ${dim}`);
  }
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

const denseView = (shape: Shape): View => ({ offset: 0, strides: contiguousStrides(shape) });

const replaceSize = (shape: Shape, dim: number, size: number): number[] =>
  shape.map((old, i) => (i === dim ? size : old));
