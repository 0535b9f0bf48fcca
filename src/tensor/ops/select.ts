import { where as whereKernel } from '../../kernels/elementwise.ts';
import { indexSelect as gather, indexSelectBackward, type Selection } from '../../kernels/movement.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import {
  broadcastShapes,
  elementCount,
  formatShape,
  normalizeDim,
  sameShape,
  sizeAt,
  type Shape,
} from '../graph/shape.ts';
import { Tensor } from '../graph/tensor.ts';
import { dimOf, type DimOption } from './dim_option.ts';
import { expand } from './movement.ts';
import { checkNumber, checkTensors } from './operands.ts';

/*
 * Elements chosen by other elements.
 *
 *   where        y = a where the condition is not 0, else b      da = dy where so, else 0; db the other way round
 *   indexSelect  y[.., j, ..] = x[.., indices[j], ..]            dx[.., r, ..] = sum of dy[.., j, ..], indices[j] = r
 */

// where

/** A number stands where there is no tensor. */
interface WhereAttrs {
  readonly a: number | null;
  readonly b: number | null;
}

export const whereOp: Op<WhereAttrs> = {
  name: 'where',
  lower: ({ geometry }, { inputs: [condition, ...arrays], outputs, attrs }) => {
    if (condition === undefined) throw new RangeError('where needs a condition');
    const [first, last] = [arrays.at(0) ?? 0, arrays.at(-1) ?? 0];
    return [whereKernel(geometry, condition, attrs.a ?? first, attrs.b ?? last, one(outputs))];
  },
};

/**
 * a where the condition is not 0, else b, after broadcasting; a and b are of one type, or numbers. No gradient flows to
 * the condition.
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  checkTensors('where', { condition });
  const tensors = [a, b].filter((side) => side instanceof Tensor);
  const dtype = tensors[0]?.dtype ?? 'f32';
  const types = tensors.map((tensor) => tensor.dtype);
  if (types.some((type) => type !== dtype))
    throw new TypeError(`where: a and b are ${types.join(' and ')}: cast one of them`);
  for (const side of [a, b]) if (!(side instanceof Tensor)) checkNumber('where', side, dtype);
  const shape = tensors.reduce((sizes, tensor) => broadcastShapes(sizes, tensor.shape), condition.shape);
  const chosen = broadcastTo(condition, shape);
  const wide = tensors.map((tensor) => broadcastTo(tensor, shape));
  const attrs = { a: typeof a === 'number' ? a : null, b: typeof b === 'number' ? b : null };
  const y = recordOne(whereOp, [chosen, ...wide], { shape, dtype }, attrs);
  const isA = [a, b].flatMap((side, i) => (typeof side === 'number' ? [] : [i === 0]));
  return differentiable(y, wide, [chosen], (dy, saved, needs) =>
    isA.map((side, i) => {
      if (needs[i] !== true) return null;
      const masks = side ? { a: null, b: 0 } : { a: 0, b: null };
      return recordOne(whereOp, [one(saved), dy], { shape: dy.shape }, masks);
    }),
  );
}

const broadcastTo = (x: Tensor, shape: Shape): Tensor => (sameShape(x.shape, shape) ? x : expand(x, shape));

// indexSelect

export const indexSelectOp: Op<Selection> = {
  name: 'indexSelect',
  lower: ({ geometry }, { inputs, outputs, attrs }) => {
    const [x, indices] = two(inputs);
    return [gather(geometry, x, indices, one(outputs), attrs)];
  },
};

const indexSelectBackwardOp: Op<Selection> = {
  name: 'indexSelect backward',
  lower: ({ geometry }, { inputs, outputs, attrs }) => {
    const [dy, indices] = two(inputs);
    return [indexSelectBackward(geometry, dy, indices, one(outputs), attrs)];
  },
};

/**
 * The rows of x along `dim` that `indices` (i32 [n]) names, in that order and as often. An index out of range is refused where
 * the host knows it (data of `device.tensor` or of a compiled function's input); one computed on the device gives NaN (0 in
 * integers) and passes no gradient.
 */
export function indexSelect(x: Tensor, dim: number | DimOption, indices: Tensor): Tensor {
  checkTensors('indexSelect', { x, indices });
  if (indices.dtype !== 'i32' || indices.shape.length !== 1) {
    throw new TypeError(
      `indexSelect takes indices of i32 [n], got ${indices.dtype} ${formatShape(indices.shape)}`,
    );
  }
  const { shape: whole } = x;
  const at = normalizeDim(whole, dimOf('indexSelect', dim), 'indexSelect');
  const selection = {
    outer: elementCount(whole.slice(0, at)),
    rows: sizeAt(whole, at),
    selected: indices.numel,
    inner: elementCount(whole.slice(at + 1)),
  };
  const shape = whole.map((size, i) => (i === at ? selection.selected : size));
  x.recorder.requireRange(indices, selection.rows, 'indexSelect: index');
  const y = recordOne(indexSelectOp, [x, indices], { shape, dtype: x.dtype }, selection);
  return differentiable(y, [x], [indices], (dy, saved) => [
    recordOne(indexSelectBackwardOp, [dy, one(saved)], { shape: whole }, selection),
  ]);
}
