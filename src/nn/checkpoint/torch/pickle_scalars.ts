import {
  latin1,
  narrowed,
  signedLittle,
  take,
  takeLine,
  takeUnsigned,
  unescaped,
  unquoted,
  utf8,
} from './pickle_cursor.ts';
import { fail, spend, type Machine } from './pickle_machine.ts';
import type { PickleValue } from './pickle_values.ts';
import { quote } from '../quote.ts';

/** Upper bound on an integer. Sizes, steps and metrics are smaller. */
const MAX_INTEGER_BYTES = 32;

/** The scalar that an operation pushes; undefined for other operations. */
export function readScalar(machine: Machine, op: number): PickleValue | undefined {
  const { cursor } = machine;
  switch (op) {
    case 0x4e: // NONE
      return null;
    case 0x88: // NEWTRUE
      return true;
    case 0x89: // NEWFALSE
      return false;
    case 0x4b: // BININT1
      return takeUnsigned(cursor, 1);
    case 0x4d: // BININT2
      return takeUnsigned(cursor, 2);
    case 0x4a: // BININT
      return takeUnsigned(cursor, 4) | 0;
    case 0x8a: // LONG1
      return takeInteger(machine, takeUnsigned(cursor, 1));
    case 0x8b: // LONG4
      return takeInteger(machine, takeUnsigned(cursor, 4));
    case 0x49: // INT
    case 0x4c: // LONG
      return parseInteger(machine, takeLine(cursor), op === 0x49);
    case 0x46: // FLOAT
      return parseFloatLine(machine, takeLine(cursor));
    case 0x47: {
      // BINFLOAT
      const bytes = take(cursor, 8);
      return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
    }
    case 0x53: {
      // STRING
      const text = unquoted(takeLine(cursor));
      if (text === undefined) throw fail(machine, 'a string has no quotes');
      return text;
    }
    case 0x55: // SHORT_BINSTRING
      return latin1(take(cursor, takeUnsigned(cursor, 1)));
    case 0x54: // BINSTRING
      return latin1(take(cursor, takeUnsigned(cursor, 4)));
    case 0x56: // UNICODE
      return unescaped(takeLine(cursor));
    case 0x8c: // SHORT_BINUNICODE
      return utf8(cursor, take(cursor, takeUnsigned(cursor, 1)));
    case 0x58: // BINUNICODE
      return utf8(cursor, take(cursor, takeUnsigned(cursor, 4)));
    case 0x8d: // BINUNICODE8
      return utf8(cursor, take(cursor, takeUnsigned(cursor, 8)));
    case 0x43: // SHORT_BINBYTES
      return copiedBytes(machine, takeUnsigned(cursor, 1));
    case 0x42: // BINBYTES
      return copiedBytes(machine, takeUnsigned(cursor, 4));
    case 0x8e: // BINBYTES8
    case 0x96: // BYTEARRAY8
      return copiedBytes(machine, takeUnsigned(cursor, 8));
    default:
      return undefined;
  }
}

/** A copy of the next bytes. It counts as several operations, because an array takes the memory of several objects. */
function copiedBytes(machine: Machine, count: number): Uint8Array {
  spend(machine, 4);
  return new Uint8Array(take(machine.cursor, count));
}

function takeInteger(machine: Machine, size: number): number | bigint {
  if (size > MAX_INTEGER_BYTES)
    throw fail(machine, `an integer has ${size} bytes, the limit is ${MAX_INTEGER_BYTES}`);
  return signedLittle(take(machine.cursor, size));
}

export function parseInteger(machine: Machine, line: string, mayBeBoolean: boolean): PickleValue {
  if (mayBeBoolean && (line === '00' || line === '01')) return line === '01';
  const digits = /^[ \t]*([+-]?[0-9]{1,80})L?[ \t]*$/.exec(line)?.[1];
  if (digits === undefined) throw fail(machine, `${quote(line.slice(0, 20))} is no integer`);
  return narrowed(BigInt(digits.replace('+', '')));
}

function parseFloatLine(machine: Machine, line: string): number {
  const special: Readonly<Record<string, number>> = { inf: Infinity, '-inf': -Infinity, nan: NaN };
  const value = special[line] ?? (/^[-+0-9.eE]+$/.test(line) ? Number(line) : NaN);
  if (Number.isNaN(value) && line !== 'nan') throw fail(machine, `${quote(line.slice(0, 20))} is no number`);
  return value;
}
