import { argExtreme, type Extreme } from '../../kernels/argmax.ts';
import type { Extent } from '../../kernels/reduce.ts';
import { selectGradient } from '../../kernels/reduce_backward.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { record, recordOne, type Op, type OutputSpec } from '../graph/op.ts';
import { elementCount, normalizeDim, sizeAt, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';

/*
 * Extremes along one dimension with their places, for max, min and the poolings that are one.
 *
 *   y = max x at place r, the first of equal ones      dx_e = dy at r, else 0
 */

/** What max and min along a dimension give. */
export interface ValuesAndIndices {
  readonly values: Tensor;
  /** i32, places along the dimension. */
  readonly indices: Tensor;
}

/** x seen with three dimensions, the middle one being `dim`. Throws a RangeError where there is none. */
export function extentAt(shape: Shape, dim: number, what: string): Extent {
  const at = normalizeDim(shape, dim, what);
  return {
    outer: elementCount(shape.slice(0, at)),
    reduce: sizeAt(shape, at),
    inner: elementCount(shape.slice(at + 1)),
  };
}

interface AlongAttrs {
  readonly kind: Extreme;
  readonly extent: Extent;
}

export const alongOp: Op<AlongAttrs> = {
  name: 'max along a dimension',
  lower: (context, { inputs, outputs, attrs }) => {
    const [value, index] = two(outputs);
    return argExtreme(context, attrs.kind, one(inputs), { value, index }, attrs.extent);
  },
};

const selectOp: Op<Extent> = {
  name: 'max along a dimension backward',
  lower: (context, { inputs, outputs, attrs }) => {
    const [index, dy] = two(inputs);
    return [selectGradient(context, index, dy, one(outputs), attrs)];
  },
};

/** max or min over the middle of three dimensions as which x is seen; for poolings that are one. */
export function extremeAlong(kind: Extreme, x: Tensor, extent: Extent, shape: Shape): ValuesAndIndices {
  const outputs: OutputSpec[] = [
    { shape, dtype: x.dtype },
    { shape, dtype: 'i32' },
  ];
  const [values, indices] = two(record(alongOp, [x], outputs, { kind, extent }));
  const xShape = x.shape;
  differentiable(values, [x], [indices], (dy, saved) => [
    recordOne(selectOp, [one(saved), dy], { shape: xShape }, extent),
  ]);
  return { values, indices };
}
