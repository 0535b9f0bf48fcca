import { quote } from '../quote.ts';

/** The Error for a bad HDF5 file. */
export const hdf5Error = (why: string): Error => new Error(`not a readable HDF5 file: ${why}`);

/** Sizes of a file's addresses and lengths in bytes: 2, 4 or 8. */
export interface Widths {
  readonly offset: number;
  readonly length: number;
}

/** Reads little-endian fields in sequence. Reading beyond the end throws an Error of one sentence that says what was being read. */
export class Cursor {
  at = 0;
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.what = what;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** A view of the next bytes. */
  take(count: number): Uint8Array {
    if (!(count >= 0 && count <= this.left))
      throw hdf5Error(`${this.what} ends after ${this.bytes.length} bytes, too early`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A cursor over the next bytes. */
  cut(count: number): Cursor {
    return new Cursor(this.take(count), this.what);
  }

  skip(count: number): void {
    this.take(count);
  }

  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  u16(): number {
    this.skip(2);
    return this.view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.skip(4);
    return this.view.getUint32(this.at - 4, true);
  }

  /** An unsigned integer of 1 to 8 bytes, rounded beyond 2^53, which no file's size reaches. */
  unsigned(width: number): number {
    return this.take(width).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  length({ length }: Widths): number {
    return this.unsigned(length);
  }

  /** An address; undefined if all bits are ones, which means that nothing is stored. */
  address({ offset }: Widths): number | undefined {
    const bytes = this.take(offset);
    if (bytes.every((byte) => byte === 0xff)) return undefined;
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  /** An address. Throws if nothing is stored. */
  placed(widths: Widths): number {
    const address = this.address(widths);
    if (address === undefined) throw hdf5Error(`${this.what} lacks an address`);
    return address;
  }

  /** Throws unless the next bytes are these letters. */
  signature(letters: string): void {
    const found = String.fromCharCode(...this.take(letters.length));
    if (found !== letters) throw hdf5Error(`${this.what} begins with ${quote(found)} instead of ${letters}`);
  }

  /** Throws unless the next byte is one of these versions. */
  version(...known: readonly number[]): number {
    const version = this.u8();
    if (!known.includes(version)) {
      throw hdf5Error(`${this.what} has version ${version}, known are ${known.join(', ')}`);
    }
    return version;
  }
}

/** Text of a file in UTF-8, up to the first NUL. */
export function textOf(bytes: Uint8Array, what: string): string {
  const end = bytes.indexOf(0);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(end < 0 ? bytes : bytes.subarray(0, end));
  } catch {
    throw hdf5Error(`${what} is not text in UTF-8`);
  }
}
