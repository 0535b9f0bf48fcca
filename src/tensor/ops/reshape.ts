import { differentiable } from '../graph/autograd.ts';
import { elementCount, formatShape, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';

/*
 * reshape: the same elements in the same order, seen with other sizes. Both share a storage: nothing moves, nothing is dispatched.
 *   y_k = x_k    dx_k = dy_k    (k: place in row-major order)
 */

// Shape rule: one size may be -1 and is inferred.
function inferShape(from: Shape, to: Shape): Shape {
  const known = elementCount(to.filter((size) => size !== -1));
  const missing = to.filter((size) => size === -1).length;
  const inferred = elementCount(from) / known;
  const shape = to.map((size) => (size === -1 ? inferred : size));
  if (
    missing > 1 ||
    shape.some((size) => !Number.isInteger(size) || size < 1) ||
    elementCount(shape) !== elementCount(from)
  ) {
    throw new RangeError(`cannot reshape ${formatShape(from)} to ${formatShape(to)}`);
  }
  return shape;
}

/** The tensor seen with another shape; one size may be -1. Throws a RangeError if the number of elements differs. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const { shape: before } = x;
  const y = x.recorder.recordReshape(x, inferShape(before, shape));
  return differentiable(y, [x], [], (dy) => [dy.recorder.recordReshape(dy, before)]);
}
