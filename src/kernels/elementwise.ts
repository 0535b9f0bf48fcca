import accumulateSource from '../../shaders/accumulate.wgsl';
import copySource from '../../shaders/copy.wgsl';
import fillSource from '../../shaders/fill.wgsl';
import elements from '../../shaders/lib_elements.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import relu from '../../shaders/lib_relu.wgsl';
import unarySource from '../../shaders/unary.wgsl';
import unaryBackwardSource from '../../shaders/unary_backward.wgsl';
import whereSource from '../../shaders/where.wgsl';
import { bytesOf, f32, u32, type BufferRef, type Dispatch, type DType } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { movedType, spread, wordType } from './context.ts';
import { itemsPerThread } from './strided.ts';
import { expandTemplate } from './template.ts';

/** Functions in shaders/unary.wgsl with the operations they count as. */
const UNARY_FLOPS = {
  relu: 1,
  leaky_relu: 2,
  sigmoid: 4,
  stable_tanh: 6,
  exponential: 1,
  logarithm: 1,
  square_root: 1,
  negative: 1,
  absolute: 1,
  square: 1,
  reciprocal: 1,
  whole_power: 8,
  power: 1,
  clamp_both: 2,
  clamp_min: 1,
  clamp_max: 1,
};

export type UnaryFunction = keyof typeof UNARY_FLOPS;

/** Functions in shaders/unary_backward.wgsl. */
export type UnaryBackwardFunction = Exclude<UnaryFunction, 'negative' | 'whole_power' | 'power'>;

/** Constants of a unary function; what they mean stands beside it in the shader. */
export interface UnaryConstants {
  readonly p?: number;
  readonly q?: number;
}

/** y = f(x). */
export function unary(
  geometry: AdapterProfile,
  name: UnaryFunction,
  x: BufferRef,
  y: BufferRef,
  { p = 0, q = 0 }: UnaryConstants = {},
): Dispatch {
  const { length } = y;
  return {
    label: `${name} [${length}]`,
    code: expandTemplate('unary', unarySource, {
      include: { elements, nan, relu },
      when: { VECTOR: isVector(length) },
      substitute: {
        TYPE_: vectorOf('f32', length),
        BITS_: vectorOf('u32', length),
        IS_NAN_: isNan(length),
        FUNCTION_: name,
        ...items(geometry, length),
      },
    }),
    params: { count: u32(vectorCount(length)), p: f32(p), q: f32(q) },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    workgroups: threads(geometry, length),
    flops: length * UNARY_FLOPS[name],
    bytes: bytesOf(x) + bytesOf(y),
  };
}

/** dx = dy f'(x), where `saved` is f's x or y, as the function in the shader says. */
export function unaryBackward(
  geometry: AdapterProfile,
  name: UnaryBackwardFunction,
  dy: BufferRef,
  saved: BufferRef,
  dx: BufferRef,
  { p = 0, q = 0 }: UnaryConstants = {},
): Dispatch {
  const { length } = dx;
  return {
    label: `${name} backward [${length}]`,
    code: expandTemplate('unary_backward', unaryBackwardSource, {
      include: { elements, nan, relu },
      when: { VECTOR: isVector(length) },
      substitute: {
        TYPE_: vectorOf('f32', length),
        IS_NAN_: isNan(length),
        FUNCTION_: name === 'relu' ? 'relu_gradient' : name,
        ...items(geometry, length),
      },
    }),
    params: { count: u32(vectorCount(length)), p: f32(p), q: f32(q) },
    operands: [
      { buffer: dy, access: 'read' },
      { buffer: saved, access: 'read' },
      { buffer: dx, access: 'write' },
    ],
    workgroups: threads(geometry, length),
    flops: 2 * length,
    bytes: bytesOf(dy) + bytesOf(saved) + bytesOf(dx),
  };
}

/** y = x, converted where the element types differ (towards zero from f32, saturated). */
export function copy(geometry: AdapterProfile, x: BufferRef, y: BufferRef): Dispatch {
  const { length } = y;
  const same = x.dtype === y.dtype;
  return {
    label: same ? `copy [${length}]` : `${x.dtype} to ${y.dtype} [${length}]`,
    code: expandTemplate('copy', copySource, {
      include: { elements },
      substitute: {
        FROM_: wide(same ? movedType(x.dtype, y.dtype) : wordType(x.dtype), length),
        TO_: wide(same ? movedType(x.dtype, y.dtype) : wordType(y.dtype), length),
        ...items(geometry, length),
      },
    }),
    params: { count: u32(vectorCount(length)) },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    workgroups: threads(geometry, length),
    flops: 0,
    bytes: bytesOf(x) + bytesOf(y),
  };
}

/** Every element of y becomes `value`, rounded to y's type. */
export function fill(geometry: AdapterProfile, y: BufferRef, value: number): Dispatch {
  const { length } = y;
  const half = y.dtype === 'f16';
  return {
    label: `fill [${length}]`,
    code: expandTemplate('fill', fillSource, {
      include: { elements },
      substitute: {
        TYPE_: vectorOf(half ? 'f32' : 'u32', length),
        VALUE_: half ? 'bitcast<f32>(params.bits)' : 'params.bits',
        ...items(geometry, length),
      },
    }),
    params: { count: u32(vectorCount(length)), bits: u32(bitsOf(value, y.dtype)) },
    operands: [{ buffer: y, access: 'write' }],
    workgroups: threads(geometry, length),
    flops: 0,
    bytes: bytesOf(y),
  };
}

/** y += x, in place. */
export function accumulate(geometry: AdapterProfile, y: BufferRef, x: BufferRef): Dispatch {
  const { length } = y;
  return {
    label: `accumulate [${length}]`,
    code: expandTemplate('accumulate', accumulateSource, {
      include: { elements },
      substitute: { TYPE_: vectorOf('f32', length), ...items(geometry, length) },
    }),
    params: { count: u32(vectorCount(length)) },
    operands: [
      { buffer: y, access: 'readwrite' },
      { buffer: x, access: 'read' },
    ],
    workgroups: threads(geometry, length),
    flops: length,
    bytes: 2 * bytesOf(y) + bytesOf(x),
  };
}

/** y = a where the condition is not 0, else b; all of one length, a and b of y's type or numbers. */
export function where(
  geometry: AdapterProfile,
  condition: BufferRef,
  a: BufferRef | number,
  b: BufferRef | number,
  y: BufferRef,
): Dispatch {
  const { length } = y;
  const arrays = [a, b].filter((side) => typeof side !== 'number');
  const type = vectorOf('u32', length);
  const bits = (side: BufferRef | number): number => (typeof side === 'number' ? bitsOf(side, y.dtype) : 0);
  return {
    label: `where [${length}]`,
    code: expandTemplate('where', whereSource, {
      include: { elements },
      when: { A_ARRAY: typeof a !== 'number', B_ARRAY: typeof b !== 'number' },
      substitute: {
        TYPE_: type,
        CONDITION_: vectorOf(condition.dtype, length),
        A_VALUE_: typeof a === 'number' ? `${type}(params.a_bits)` : 'a[i]',
        B_VALUE_: typeof b === 'number' ? `${type}(params.b_bits)` : 'b[i]',
        B_BINDING_: arrays.length,
        Y_BINDING_: arrays.length + 1,
        PARAMS_BINDING_: arrays.length + 2,
        ...items(geometry, length),
      },
    }),
    params: { count: u32(vectorCount(length)), a_bits: u32(bits(a)), b_bits: u32(bits(b)) },
    operands: [
      ...[condition, ...arrays].map((buffer) => ({ buffer, access: 'read' as const })),
      { buffer: y, access: 'write' },
    ],
    workgroups: threads(geometry, length),
    flops: 0,
    bytes: [condition, ...arrays, y].reduce((sum, buffer) => sum + bytesOf(buffer), 0),
  };
}

const isVector = (length: number): boolean => length % 4 === 0;

/** Four elements at a time where the length allows it. */
export const vectorOf = (dtype: DType, length: number): string => wide(wordType(dtype), length);

const wide = (type: string, length: number): string => (isVector(length) ? `vec4<${type}>` : type);

/** How many of `vectorOf` an array holds. */
export const vectorCount = (length: number): number => (isVector(length) ? length / 4 : length);

/** The function of shaders/lib_nan.wgsl for what `vectorOf` gives. */
const isNan = (length: number): string => (isVector(length) ? 'is_nan4' : 'is_nan');

const items = (geometry: AdapterProfile, length: number): { ITEMS_: string } => ({
  ITEMS_: `${itemsPerThread(geometry, vectorCount(length))}u`,
});

function threads(geometry: AdapterProfile, length: number): readonly [number, number, number] {
  const count = vectorCount(length);
  return spread(geometry, Math.ceil(count / itemsPerThread(geometry, count) / 64));
}

function bitsOf(value: number, dtype: DType): number {
  const view = new DataView(new ArrayBuffer(4));
  const type = wordType(dtype);
  if (type === 'f32') view.setFloat32(0, value);
  else if (type === 'i32') view.setInt32(0, value);
  else view.setUint32(0, value);
  return view.getUint32(0);
}
