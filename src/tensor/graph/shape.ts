import { formatValue } from './wording.ts';

/** Sizes of a tensor's dimensions, outermost first; a scalar's is []. Every size is a positive integer. */
export type Shape = readonly number[];

export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Throws a RangeError unless every size is a positive integer. */
export function checkShape(shape: Shape, what: string): void {
  if (shape.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new RangeError(`${what}: every size must be a positive integer, got [${shape.join(', ')}]`);
  }
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

export const formatShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/**
 * Size of dimension `dim`, which may count from the end as in PyTorch. Throws a RangeError that names the op `what`, the
 * dimension and the shape.
 */
export function sizeAt(shape: Shape, dim: number, what = 'tensor'): number {
  const size = Number.isInteger(dim) && dim >= -shape.length ? shape.at(dim) : undefined;
  if (size !== undefined) return size;
  const rank = shape.length;
  const range = rank === 0 ? 'none' : `${-rank} to ${rank - 1}`;
  throw new RangeError(
    `${what}: ${formatValue(dim)} is no dimension of shape ${formatShape(shape)}, which has ${range}`,
  );
}

/** `dim` counted from the front. Throws as `sizeAt` does. */
export function normalizeDim(shape: Shape, dim: number, what?: string): number {
  sizeAt(shape, dim, what);
  return dim < 0 ? dim + shape.length : dim;
}

/** NumPy's rule: shapes align at the right, sizes agree or one of them is 1. */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new RangeError(`shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    }
    return Math.max(x, y);
  });
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] ?? 1;
  }
  return strides;
}
