// Values with large arrays between processes, in pieces: one message with all of an hour's sound would not fit into a buffer.

const PIECE_BYTES = 2 ** 24;

/** Bytes of the array with this number, which follow those sent before. */
export interface Piece {
  readonly array: number;
  readonly bytes: Uint8Array;
}

/** Stands for the array with this number. */
interface Placeholder {
  readonly largeArray: number;
  readonly type: 'f32' | 'u8';
  readonly length: number;
}

/** Sends the arrays of numbers in a value of plain objects and arrays by `send`, and returns the value with a description in place of each. */
export async function takeApart(value: unknown, send: (piece: Piece) => Promise<void>): Promise<unknown> {
  let arrays = 0;
  const visit = async (part: unknown): Promise<unknown> => {
    if (part instanceof Float32Array || part instanceof Uint8Array) {
      const array = arrays++;
      const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      for (let at = 0; at < bytes.length; at += PIECE_BYTES)
        await send({ array, bytes: bytes.subarray(at, at + PIECE_BYTES) });
      const type = part instanceof Float32Array ? 'f32' : 'u8';
      return { largeArray: array, type, length: part.length } satisfies Placeholder;
    }
    if (Array.isArray(part)) {
      const parts: unknown[] = [];
      for (const each of part) parts.push(await visit(each));
      return parts;
    }
    if (typeof part !== 'object' || part === null) return part;
    const entries: [string, unknown][] = [];
    for (const [key, each] of Object.entries(part)) entries.push([key, await visit(each)]);
    return Object.fromEntries(entries);
  };
  return visit(value);
}

/** The value that `takeApart` was given. */
export function assemble(value: unknown, pieces: readonly Piece[]): unknown {
  if (Array.isArray(value)) return value.map((each) => assemble(each, pieces));
  if (typeof value !== 'object' || value === null) return value;
  if (isPlaceholder(value)) {
    const array = value.type === 'f32' ? new Float32Array(value.length) : new Uint8Array(value.length);
    const bytes = new Uint8Array(array.buffer);
    let at = 0;
    for (const piece of pieces) {
      if (piece.array !== value.largeArray) continue;
      bytes.set(piece.bytes, at);
      at += piece.bytes.length;
    }
    return array;
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, assemble(each, pieces)]));
}

const isPlaceholder = (value: object): value is Placeholder => 'largeArray' in value;
