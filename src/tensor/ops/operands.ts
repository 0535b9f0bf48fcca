import type { DType } from '../../gpu/dispatch.ts';
import { refuseForeign } from '../graph/copies.ts';
import type { Shape } from '../graph/shape.ts';
import { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';

/*
 * What ops take as operands. Kernels read the bits of an element as the type they were written for, so an operand of
 * another type must not reach them.
 */

type Named<T> = Readonly<Record<string, T | null>>;

/** Throws a TypeError unless every operand is a tensor or null. */
export function checkTensors(what: string, operands: Named<Tensor>): void {
  for (const [name, operand] of Object.entries<unknown>(operands)) {
    if (operand === null || operand instanceof Tensor) continue;
    refuseForeign(`${what}: ${name}`, operand);
    throw new TypeError(`${what}: ${name} must be a tensor, got ${formatValue(operand)}${wayOut(operand)}`);
  }
}

/** Throws a TypeError unless every operand is a tensor of f32, or null. */
export function checkFloats(what: string, operands: Named<Tensor>): void {
  checkTensors(what, operands);
  for (const [name, operand] of Object.entries(operands)) {
    if (operand === null || operand.dtype === 'f32') continue;
    const which = Object.keys(operands).length === 1 ? 'got' : `but ${name} is`;
    throw new TypeError(`${what} takes f32, ${which} ${operand.dtype}: cast it to f32 first`);
  }
}

function wayOut(operand: unknown): string {
  if (typeof operand === 'object' && operand !== null && 'tensor' in operand) return ': pass its .tensor';
  return Array.isArray(operand) || ArrayBuffer.isView(operand) ? ': device.tensor makes one of it' : '';
}

/** Throws a TypeError unless `value` is a number that an element of `dtype` can be. */
export function checkNumber(what: string, value: unknown, dtype: DType): void {
  refuseForeign(what, value);
  if (typeof value !== 'number')
    throw new TypeError(`${what} takes tensors and numbers, got ${formatValue(value)}${wayOut(value)}`);
  const [least, most] = dtype === 'u32' ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (dtype === 'f32' || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new TypeError(`${what} of ${dtype} and ${value}, which is no ${dtype}: cast the tensor first`);
}

/** Sizes or dimensions given as an array or, as PyTorch's methods take them too, one by one. */
export function listOf(what: string, first: Shape | number, more: readonly number[]): Shape {
  if (typeof first === 'number') return [first, ...more];
  // Array.from, since a hole is no size.
  if (Array.isArray(first) && more.length === 0) return Array.from(first as Shape);
  throw new TypeError(`${what} takes integers in one array or one by one, got ${formatValue(first)}`);
}
