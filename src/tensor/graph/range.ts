import type { TypedArray } from './dtype.ts';
import type { Range } from './value.ts';

/** Least and largest element of integers; null for floats, which are no labels or indices. */
export function rangeOf(array: TypedArray): Range | null {
  if (array instanceof Float32Array) return null;
  let [min, max] = [Infinity, -Infinity];
  for (const element of array) {
    if (element < min) min = element;
    if (element > max) max = element;
  }
  return { min, max };
}

/** Throws a RangeError for elements outside 0 <= element < end. */
export function checkRange({ min, max }: Range, end: number, what: string): void {
  if (min >= 0 && max < end) return;
  throw new RangeError(`${what} ${min < 0 ? min : max} is outside 0 to ${end - 1}`);
}
