import type { HostDType, TypedArray } from './dtype.ts';
import { checkDType } from './dtype_names.ts';
import { checkShape, elementCount, formatShape, type Shape } from './shape.ts';
import { closestName, formatValue, isPlainObject, withArticle } from './wording.ts';

/*
 * What users hand over as data, as one of the three arrays that a device takes.
 *
 *   number, boolean, nested arrays of them        f32 (true is 1, false 0; PyTorch makes them bool and int64)
 *   Float32Array, Float64Array, Float16Array      f32
 *   Int8 to Int32Array, Uint8 and Uint16Array     i32 (Uint8ClampedArray and Node's Buffer too)
 *   Uint32Array                                   u32
 *   BigInt64Array, BigUint64Array                 i32, where every value fits
 *
 * A dtype that is asked for overrides this. Every element must be a number that an integer type can hold; f32 rounds.
 * The array itself is used where it has the right type and memory of its own; a copy is made of everything else: where
 * elements are converted, and where memory is shared between threads or can be resized, which WebGPU does not upload.
 */

/** Nested arrays as deep as the tensor has dimensions; the rows of the last dimension may be typed arrays. */
export type NestedNumbers = number | boolean | NumericArray | readonly NestedNumbers[];

/** @inline */
type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

type Leaf = number | boolean | NumericArray;

interface HostArray {
  readonly array: TypedArray;
  /** [] for a number. */
  readonly shape: number[];
}

/** The element type that each typed array becomes, by its name: an array of another realm has it too. */
const NATURAL_DTYPE: Readonly<Record<string, HostDType>> = {
  Float16Array: 'f32',
  Float32Array: 'f32',
  Float64Array: 'f32',
  Int8Array: 'i32',
  Int16Array: 'i32',
  Int32Array: 'i32',
  Uint8Array: 'i32',
  Uint8ClampedArray: 'i32',
  Uint16Array: 'i32',
  Uint32Array: 'u32',
  BigInt64Array: 'i32',
  BigUint64Array: 'i32',
};

const RANGE: Readonly<Record<Exclude<HostDType, 'f32'>, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
};

/**
 * The elements of `data`, row-major, and the shape that its nesting says. Throws a TypeError for what is no data, and
 * a RangeError for data that is empty, ragged, or does not fit the dtype; each names the element.
 */
export function hostArray(data: NestedNumbers, dtype?: HostDType, what = 'tensor'): HostArray {
  const given: unknown = data;
  const wanted = dtype === undefined ? undefined : checkDType(what, dtype);
  const natural = naturalDType(given);
  if (natural !== null) {
    const source = given as NumericArray;
    checkNotEmpty(source.length, [], what);
    return { array: convert(source, wanted ?? natural, what), shape: [source.length] };
  }
  if (!isNumber(given) && !Array.isArray(given)) throw new TypeError(`${what}: ${refusal(given)}`);
  const shape = shapeOf(given, what);
  const leaves: Leaf[] = [];
  collect(given, shape, [], leaves, what);
  return { array: convertAll(leaves, shape, wanted ?? commonDType(leaves, what), what), shape };
}

/** An input of a compiled function that is no tensor. */
export interface StepData {
  readonly data: TypedArray;
  readonly shape: Shape;
}

const STEP_INPUT_NAMES = ['data', 'shape', 'dtype'];

/**
 * Input `index` of a compiled function, for what is no tensor: `{ data, shape }`, with a dtype if wanted, or anything
 * that `hostArray` takes. Throws a TypeError or a RangeError that names the input.
 */
export function checkStepInput(input: unknown, index: number): StepData {
  const what = `input ${index}`;
  if (!isPlainObject(input)) {
    const { array, shape } = hostArray(input as NestedNumbers, undefined, what);
    return { data: array, shape };
  }
  const unknown = Object.keys(input).find((name) => !STEP_INPUT_NAMES.includes(name));
  if (unknown !== undefined || !('data' in input)) {
    const meant = unknown === undefined ? null : closestName(unknown, STEP_INPUT_NAMES);
    const hint = meant === null ? '' : `: did you mean '${meant}'?`;
    throw new TypeError(
      `${what} must be a tensor, numbers, or { data, shape }, got ${formatValue(input)}${hint}`,
    );
  }
  const { array, shape: nested } = hostArray(
    input['data'] as NestedNumbers,
    input['dtype'] as HostDType | undefined,
    what,
  );
  const shape = input['shape'] === undefined ? nested : checkSizes(input['shape'], what);
  if (elementCount(shape) !== array.length) {
    throw new RangeError(
      `${what}: shape ${formatShape(shape)} has ${elementCount(shape)} elements, the data ${array.length}`,
    );
  }
  return { data: array, shape };
}

function checkSizes(shape: unknown, what: string): Shape {
  if (!Array.isArray(shape)) {
    throw new TypeError(`${what}: the shape must be an array of sizes, got ${formatValue(shape)}`);
  }
  // Array.from, since a hole is no size either.
  const sizes = Array.from(shape as readonly number[]);
  checkShape(sizes, what);
  return sizes;
}

function naturalDType(data: unknown): HostDType | null {
  if (!ArrayBuffer.isView(data)) return null;
  return NATURAL_DTYPE[tagOf(data)] ?? null;
}

/** The name of a built-in class, also of another realm and of its subclasses: Node's Buffer is a Uint8Array. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice('[object '.length, -1);

function refusal(data: unknown): string {
  if (typeof data === 'bigint') return `${data}n is a bigint: give a number, or a BigInt64Array`;
  const tag = tagOf(data);
  if (tag === 'ArrayBuffer' || tag === 'SharedArrayBuffer' || tag === 'DataView') {
    return `${withArticle(tag)} has bytes of no type: wrap it in a Float32Array or another typed array`;
  }
  return `data must be a number, an array of numbers or a typed array, got ${formatValue(data)}`;
}

const isNumber = (value: unknown): value is number | boolean =>
  typeof value === 'number' || typeof value === 'boolean';

// Nested arrays

/** The shape as the first element of each level has it; `collect` compares the others. */
function shapeOf(data: unknown, what: string): number[] {
  const shape: number[] = [];
  let at: unknown = data;
  while (Array.isArray(at) || naturalDType(at) !== null) {
    const row = at as ArrayLike<unknown>;
    checkNotEmpty(
      row.length,
      shape.map(() => 0),
      what,
    );
    shape.push(row.length);
    if (!Array.isArray(at)) break;
    if (shape.length > 32) throw new RangeError(`${what}: the arrays are nested more than 32 deep`);
    at = row[0];
  }
  return shape;
}

function checkNotEmpty(length: number, at: readonly number[], what: string): void {
  if (length > 0) return;
  const row = at.length === 0 ? 'the data' : `row ${place(at)}`;
  throw new RangeError(`${what}: ${row} is empty, and a tensor has at least one element`);
}

/** The numbers and typed rows of `data` in order, each level as long as `shape` says. */
function collect(
  data: unknown,
  shape: readonly number[],
  at: readonly number[],
  leaves: Leaf[],
  what: string,
): void {
  const size = shape[at.length];
  const typed = naturalDType(data) !== null;
  if (size === undefined && isNumber(data)) {
    leaves.push(data);
    return;
  }
  const last = at.length + 1 === shape.length;
  if (size === undefined || (!Array.isArray(data) && !(typed && last))) throw raggedElement(data, at, what);
  const row = data as readonly unknown[] & NumericArray;
  if (row.length !== size) {
    const first = place(at.map(() => 0));
    throw new RangeError(`${what}: row ${place(at)} has ${row.length} elements, row ${first} has ${size}`);
  }
  if (typed) {
    leaves.push(row);
    return;
  }
  for (let i = 0; i < size; i++) {
    const item: unknown = row[i];
    if (last && isNumber(item)) leaves.push(item);
    else collect(item, shape, [...at, i], leaves, what);
  }
}

function raggedElement(data: unknown, at: readonly number[], what: string): Error {
  const nested = Array.isArray(data) || naturalDType(data) !== null;
  const number = isNumber(data);
  if (!nested && !number)
    return new TypeError(`${what}: element ${place(at)} is ${formatValue(data)}, which is no number`);
  const first = place(at.map(() => 0));
  return new RangeError(
    `${what}: element ${place(at)} is ${number ? 'a number' : 'an array'}, element ${first} is not: rows are of one length and depth`,
  );
}

/** An element's place: 3, or [1, 3] in nested arrays. */
const place = (at: readonly number[]): string => (at.length === 1 ? String(at[0]) : formatShape(at));

/** f32 for numbers, and what typed rows become, which must be of one kind. */
function commonDType(leaves: readonly Leaf[], what: string): HostDType {
  const kinds = [...new Set(leaves.map((leaf) => naturalDType(leaf) ?? 'f32'))];
  const [first = 'f32', second] = kinds;
  if (second !== undefined)
    throw new TypeError(`${what}: the rows are ${first} and ${second}: say which dtype is meant`);
  return first;
}

// Conversion

function convertAll(
  leaves: readonly Leaf[],
  shape: readonly number[],
  dtype: HostDType,
  what: string,
): TypedArray {
  const array = emptyArray(dtype, elementCount(shape));
  const check = checkFor(dtype);
  let next = 0;
  for (const leaf of leaves) {
    const values = typeof leaf === 'object' ? leaf : [leaf];
    for (const value of values) {
      const number = Number(value);
      if (!check(number)) throw misfit(value, placeIn(shape, next), dtype, what);
      array[next++] = number;
    }
  }
  return array;
}

function convert(source: NumericArray, dtype: HostDType, what: string): TypedArray {
  if (isOwn(source, dtype)) return source;
  const array = emptyArray(dtype, source.length);
  const check = checkFor(dtype);
  for (let i = 0; i < source.length; i++) {
    const value = source[i] ?? Number.NaN;
    const number = Number(value);
    if (!check(number)) throw misfit(value, [i], dtype, what);
    array[i] = number;
  }
  return array;
}

/** True for an array that can be uploaded as it is. */
function isOwn(source: NumericArray, dtype: HostDType): source is TypedArray {
  const same =
    (dtype === 'f32' && source instanceof Float32Array) ||
    (dtype === 'i32' && source instanceof Int32Array) ||
    (dtype === 'u32' && source instanceof Uint32Array);
  const { buffer } = source;
  // Typed as in Node 20, where no buffer can be resized.
  return same && buffer instanceof ArrayBuffer && (buffer as { resizable?: boolean }).resizable !== true;
}

function emptyArray(dtype: HostDType, length: number): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'u32':
      return new Uint32Array(length);
  }
}

/** Whether an element type holds a number; f32 rounds all of them. */
function checkFor(dtype: HostDType): (value: number) => boolean {
  if (dtype === 'f32') return () => true;
  const [least, most] = RANGE[dtype];
  return (value) => Number.isInteger(value) && value >= least && value <= most;
}

function misfit(value: unknown, at: readonly number[], dtype: HostDType, what: string): RangeError {
  const which = at.length === 0 ? 'the number' : `element ${place(at)}`;
  return new RangeError(`${what}: ${which} is ${formatValue(value)}, which ${dtype} cannot hold`);
}

/** Indices of element `i` in row-major order. */
function placeIn(shape: readonly number[], i: number): number[] {
  let rest = i;
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size;
      rest = (rest - at) / size;
      return at;
    })
    .toReversed();
}
