/**
 * Reads what tools/oracle.py wrote: expected tensors in safetensors, and JSON beside them with what PyTorch's own f32
 * makes of the same case.
 */
import { readFileSync } from 'node:fs';
import { fnv1a, hashWord } from './hash.ts';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const PROJECTIONS = 32;

/** F32 and I32 hold the whole tensor; F64 is a sketch, [norm, 32 projections on random signs]. */
interface Expected {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array | Int32Array;
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, FIXTURES), 'utf8'));
}

export function readExpected(path: string): Map<string, Expected> {
  const file = readFileSync(new URL(path, FIXTURES));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        const bytes = new Uint8Array(file.subarray(start + from, start + to)).buffer;
        return [name, { shape, values: viewAs(dtype, bytes) }];
      },
    ),
  );
}

function viewAs(dtype: string, bytes: ArrayBuffer): Expected['values'] {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes);
    case 'F64':
      return new Float64Array(bytes);
    case 'I32':
      return new Int32Array(bytes);
    default:
      throw new Error(`fixtures hold no ${dtype}`);
  }
}

/**
 * Relative error |actual - expected| / |expected| in the 2-norm, from sketches an estimate within about an eighth of
 * it. For integers the share of elements that differ. Infinity where something is not a number.
 */
export function relativeError(actual: ArrayLike<number>, { values }: Expected): number {
  if (values instanceof Float64Array) return sketchError(actual, values);
  if (actual.length !== values.length) {
    throw new RangeError(`${actual.length} elements where PyTorch has ${values.length}`);
  }
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < values.length; i++) {
    const a = actual[i] ?? Number.NaN;
    const b = values[i] ?? Number.NaN;
    if (values instanceof Int32Array) difference += a === b ? 0 : 1;
    else difference += (a - b) ** 2;
    norm += b * b;
  }
  if (values instanceof Int32Array) return difference / values.length;
  return ratio(Math.sqrt(difference), Math.sqrt(norm));
}

function sketchError(actual: ArrayLike<number>, expected: Float64Array): number {
  const projections = project(actual);
  let difference = 0;
  for (let j = 0; j < PROJECTIONS; j++) {
    difference += ((projections[j] ?? Number.NaN) - (expected[j + 1] ?? Number.NaN)) ** 2;
  }
  return ratio(Math.sqrt(difference / PROJECTIONS), expected[0] ?? Number.NaN);
}

/** Sums of the elements under 32 random signs: bit j of hash word i of the name `signs` is the sign of element i. */
function project(values: ArrayLike<number>): Float64Array {
  const seed = fnv1a('signs');
  const sums = new Float64Array(PROJECTIONS);
  for (let i = 0; i < values.length; i++) {
    const word = hashWord(seed, i);
    const value = values[i] ?? Number.NaN;
    for (let j = 0; j < PROJECTIONS; j++) {
      sums[j] = (sums[j] ?? 0) + value * (1 - 2 * ((word >>> j) & 1));
    }
  }
  return sums;
}

function ratio(difference: number, norm: number): number {
  if (Number.isNaN(difference)) return Infinity;
  return difference === 0 ? 0 : difference / norm;
}
