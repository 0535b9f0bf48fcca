// Data types and data spaces: element type and shape of a data set or an attribute.
import type { FileDType } from '../elements.ts';
import { hdf5Error, type Cursor, type Widths } from './cursor.ts';

export type Hdf5Type =
  | { readonly kind: 'number'; readonly size: number; readonly dtype: FileDType; readonly bigEndian: boolean }
  /** Text of a fixed length; `spaces` fill it up instead of NULs. */
  | { readonly kind: 'text'; readonly size: number; readonly spaces: boolean }
  /** Text of any length, in the global heap. */
  | { readonly kind: 'long-text'; readonly size: number }
  | { readonly kind: 'other'; readonly size: number; readonly what: string };

const CLASS_NAMES = [
  'integers',
  'floats',
  'times',
  'texts',
  'bit fields',
  'opaque bytes',
  'compounds',
  'references',
  'enumerations',
  'sequences of varying length',
  'arrays',
];

/** Reads the data type at the cursor. */
export function parseType(fields: Cursor): Hdf5Type {
  const kind = fields.u8() & 0x0f;
  const bits = fields.unsigned(3);
  const size = fields.u32();
  switch (kind) {
    case 0:
      return integers(fields, bits, size);
    case 1:
      return floats(fields, bits, size);
    case 3:
      return { kind: 'text', size, spaces: (bits & 0x0f) === 2 };
    case 9:
      if ((bits & 0x0f) === 1) return { kind: 'long-text', size };
      break;
  }
  return { kind: 'other', size, what: CLASS_NAMES[kind] ?? `elements of class ${kind}` };
}

function integers(fields: Cursor, bits: number, size: number): Hdf5Type {
  const [shift, precision] = [fields.u16(), fields.u16()];
  const signed = (bits & 0x08) !== 0;
  const dtype = INTEGERS[`${signed ? 'i' : 'u'}${size}`];
  if (dtype === undefined || shift !== 0 || precision !== size * 8) {
    return { kind: 'other', size, what: `${precision}-bit ${signed ? 'signed' : 'unsigned'} integers` };
  }
  return { kind: 'number', size, dtype, bigEndian: (bits & 1) !== 0 };
}

const INTEGERS: Readonly<Record<string, FileDType | undefined>> = {
  i1: 'I8',
  i2: 'I16',
  i4: 'I32',
  i8: 'I64',
  u1: 'U8',
  u2: 'U16',
  u4: 'U32',
};

/** Float formats: size in bytes, position and width of the exponent, width of the fraction, bias. */
const FLOATS: readonly (readonly [dtype: FileDType, ...numbers: number[]])[] = [
  ['F64', 8, 52, 11, 52, 1023],
  ['F32', 4, 23, 8, 23, 127],
  ['F16', 2, 10, 5, 10, 15],
  ['BF16', 2, 7, 8, 7, 127],
];

function floats(fields: Cursor, bits: number, size: number): Hdf5Type {
  fields.skip(4);
  const [position, exponent, , fraction] = [fields.u8(), fields.u8(), fields.u8(), fields.u8()];
  const layout = [size, position, exponent, fraction, fields.u32()];
  const dtype = FLOATS.find(([, ...numbers]) => numbers.every((number, i) => number === layout[i]))?.[0];
  const vax = (bits & 0x40) !== 0;
  if (dtype === undefined || vax)
    return { kind: 'other', size, what: `${size * 8}-bit floats of an unusual layout` };
  return { kind: 'number', size, dtype, bigEndian: (bits & 1) !== 0 };
}

/** Sizes of the dimensions; [] for a scalar, [0] for an empty data space. */
export function parseSpace(fields: Cursor, widths: Widths): number[] {
  const version = fields.version(1, 2);
  const rank = fields.u8();
  fields.skip(1);
  if (rank > 32) throw hdf5Error(`a data space has ${rank} dimensions`);
  if (version === 2 && fields.u8() === 2) return [0];
  if (version === 1) fields.skip(5);
  return Array.from({ length: rank }, () => fields.length(widths));
}
