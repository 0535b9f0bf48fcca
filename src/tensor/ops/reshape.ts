import { differentiable } from '../graph/autograd.ts';
import { elementCount, formatShape, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { checkTensors, listOf } from './operands.ts';

/*
 * reshape: the same elements in the same order, seen with other sizes. Both share a storage: nothing moves, nothing is dispatched.
 *   y_k = x_k    dx_k = dy_k    (k: place in row-major order)
 */

// Shape rule: one size may be -1 and is inferred.
function inferShape(from: Shape, to: Shape): Shape {
  const known = to.filter((size) => size !== -1);
  const refuse = (why: string): RangeError =>
    new RangeError(`cannot reshape ${formatShape(from)} to ${formatShape(to)}: ${why}`);
  if (to.length > known.length + 1) throw refuse('only one size may be -1');
  if (known.some((size) => !Number.isInteger(size) || size < 1))
    throw refuse('sizes are positive integers, or -1 for one that follows');
  const [elements, wanted] = [elementCount(from), elementCount(known)];
  if (to.length === known.length && elements !== wanted)
    throw refuse(`${elements} elements are not ${wanted}`);
  if (elements % wanted !== 0) throw refuse(`${elements} elements do not divide by ${wanted}`);
  return to.map((size) => (size === -1 ? elements / wanted : size));
}

/**
 * The tensor seen with another shape; one size may be -1. reshape(x, 2, -1) is reshape(x, [2, -1]). Throws a RangeError
 * if the number of elements differs.
 */
export function reshape(x: Tensor, shape: Shape | number, ...more: readonly number[]): Tensor {
  checkTensors('reshape', { x });
  const { shape: before } = x;
  const y = x.recorder.recordReshape(x, inferShape(before, listOf('reshape', shape, more)));
  return differentiable(y, [x], [], (dy) => [dy.recorder.recordReshape(dy, before)]);
}
