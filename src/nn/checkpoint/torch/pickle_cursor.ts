/** A reading position in a pickle. */
export interface PickleCursor {
  /** The pickle from its first byte on. The end may be missing. */
  readonly bytes: Uint8Array;
  /** Bytes from the pickle's first byte to the end of its container, which may be more than `bytes` has. */
  readonly limit: number;
  /** Position of the pickle's first byte in its container. */
  readonly origin: number;
  /** Name of the container (file or zip entry), for messages. */
  readonly holder: string;
  at: number;
}

/** The pickle continues after the available bytes. The caller must read more of the file and start again. */
export class MorePickleNeeded extends Error {
  override readonly name = 'MorePickleNeeded';
}

export const pickleError = (cursor: PickleCursor, at: number, why: string): Error =>
  new Error(`pickle at byte ${cursor.origin + at} of ${cursor.holder}: ${why}`);

/** The next `count` bytes, as a view. The count is checked before it is used. */
export function take(cursor: PickleCursor, count: number): Uint8Array {
  const { at, bytes, limit } = cursor;
  if (count > limit - at) {
    const claim = count === 1 ? 'it goes on' : `it claims ${count} more bytes`;
    throw pickleError(cursor, at, `${claim}, ${cursor.holder} has ${limit - at}: it is cut short or damaged`);
  }
  if (count > bytes.length - at) throw new MorePickleNeeded();
  cursor.at = at + count;
  return bytes.subarray(at, at + count);
}

/** Unsigned little-endian integer of 1, 2, 4 or 8 bytes. */
export function takeUnsigned(cursor: PickleCursor, size: 1 | 2 | 4 | 8): number {
  // Arithmetic instead of shifts, because sizes of 2^31 and more must not become negative.
  return take(cursor, size).reduceRight((value, byte) => value * 256 + byte, 0);
}

/** The next line as latin1, without its newline. */
export function takeLine(cursor: PickleCursor): string {
  const { at, bytes, limit } = cursor;
  const end = bytes.indexOf(10, at);
  if (end < 0) {
    if (bytes.length < limit) throw new MorePickleNeeded();
    throw pickleError(cursor, at, `a line has no end: it is cut short or damaged`);
  }
  cursor.at = end + 1;
  return latin1(bytes.subarray(at, end));
}

export function utf8(cursor: PickleCursor, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw pickleError(cursor, cursor.at - bytes.length, 'a text is not UTF-8');
  }
}

/** Decodes ISO 8859-1: each byte is a character. TextDecoder's `latin1` is windows-1252, which differs. */
export function latin1(bytes: Uint8Array): string {
  const STEP = 4096;
  let text = '';
  for (let i = 0; i < bytes.length; i += STEP) text += String.fromCharCode(...bytes.subarray(i, i + STEP));
  return text;
}

/** Decodes the little-endian two's complement of LONG1 and LONG4. */
export function signedLittle(bytes: Uint8Array): number | bigint {
  const bits = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  return narrowed(BigInt.asIntN(8 * bytes.length, bits));
}

/** The value as a number if that is exact, else as a bigint. */
export const narrowed = (value: bigint): number | bigint =>
  BigInt.asIntN(54, value) === value ? Number(value) : value;

/** The text of a quoted Python 2 string literal, which protocol 0 uses for strings. */
export function unquoted(literal: string): string | undefined {
  const quote = literal[0];
  if (literal.length < 2 || (quote !== "'" && quote !== '"') || !literal.endsWith(quote)) return undefined;
  const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return literal
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([\s\S]))/g, (_, hex: string | undefined, char: string | undefined) =>
      hex === undefined ? (named[char ?? ''] ?? char ?? '') : String.fromCharCode(parseInt(hex, 16)),
    );
}

/** Decodes Python's raw-unicode-escape, which protocol 0 uses for texts. */
export function unescaped(line: string): string {
  return line.replace(/\\(?:u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4}))/g, (_, short, long) =>
    String.fromCodePoint(parseInt(String(short ?? long), 16)),
  );
}
