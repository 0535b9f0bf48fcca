/*
 * The part of Protocol Buffers' wire format that is needed to write a model. A message is a list of pieces in order. Each field
 * is a tag (number * 8 + wire type), followed by a varint, by four bytes, or by a length and as many bytes.
 */

/** Bytes in memory, or bytes that are loaded when they are written. */
export type Piece = Uint8Array | LatePiece;

export interface LatePiece {
  readonly length: number;
  /** Loads the bytes, as many as `length`. */
  load(): Promise<Uint8Array>;
}

const VARINT = 0;
const LENGTH = 2;
const FIXED32 = 5;

/** Size of a message in bytes. */
export const sizeOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { length }) => sum + length, 0);

/** Encodes seven bits per byte, lowest first; the top bit is set if more follow. Negative values are 64-bit two's complement. */
function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

const tag = (field: number, wireType: number): number[] => varint(field * 8 + wireType);

/** An int32, int64 or enum field. */
export const intField = (field: number, value: number): Piece[] => [
  Uint8Array.from([...tag(field, VARINT), ...varint(value)]),
];

/** A float field. */
export function floatField(field: number, value: number): Piece[] {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setFloat32(0, value, true);
  return [Uint8Array.from([...tag(field, FIXED32), ...four])];
}

/** A field that holds a message or bytes. */
export const messageField = (field: number, pieces: readonly Piece[]): Piece[] => [
  Uint8Array.from([...tag(field, LENGTH), ...varint(sizeOf(pieces))]),
  ...pieces,
];

export const stringField = (field: number, text: string): Piece[] =>
  messageField(field, [new TextEncoder().encode(text)]);

/** The bytes of a message, piece by piece. */
export async function* loadPieces(pieces: readonly Piece[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) yield piece instanceof Uint8Array ? piece : await piece.load();
}
