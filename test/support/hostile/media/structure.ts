// The parts and number fields of a container format, and damage to them. Each format describes its own files.

import { below, damage, edgeNumber, pick, splice, type Random } from '../random.ts';

/** A number in a file. A `vint` is EBML's size: the position of its highest set bit says how many bytes it has. */
export interface Field {
  /** Where it is and what it means, such as `moov/trak/mdia/mdhd.timescale`. */
  readonly name: string;
  readonly at: number;
  /** Bytes, 1 to 8. */
  readonly width: number;
  readonly kind: 'big' | 'little' | 'vint';
}

/** A box, element, chunk or packet: a size, if the format has one, and content. */
export interface Part {
  readonly name: string;
  readonly at: number;
  /** Where the content begins. */
  readonly body: number;
  readonly end: number;
  /** Counts the bytes of the content, perhaps those of the header too. */
  readonly size?: Field;
  readonly parent?: Part;
}

export interface Structure {
  readonly fields: readonly Field[];
  readonly parts: readonly Part[];
}

export type Describe = (bytes: Uint8Array) => Structure;

function getField(bytes: Uint8Array, { at, width, kind }: Field): bigint {
  let value = 0n;
  for (let i = 0; i < width; i++)
    value = (value << 8n) | BigInt(bytes[kind === 'little' ? at + width - 1 - i : at + i] ?? 0);
  return kind === 'vint' ? BigInt.asUintN(7 * width, value) : value;
}

/** Writes the low bits of a number. */
export function setField(bytes: Uint8Array, { at, width, kind }: Field, value: bigint): void {
  let rest = kind === 'vint' ? BigInt.asUintN(7 * width, value) | (1n << BigInt(7 * width)) : value;
  for (let i = 0; i < width; i++) {
    const place = kind === 'little' ? at + i : at + width - 1 - i;
    if (place < bytes.length) bytes[place] = Number(rest & 255n);
    rest >>= 8n;
  }
}

/** Numbers at which a field of that size goes wrong: 0, 1, the largest signed, the smallest negative, the largest. */
export function edgesOf({ width, kind }: Field): readonly bigint[] {
  const bits = BigInt(kind === 'vint' ? 7 * width : 8 * width);
  return [0n, 1n, 2n ** (bits - 1n) - 1n, 2n ** (bits - 1n), 2n ** bits - 1n];
}

/** Sets one to four fields. */
export function changeFields(valid: Uint8Array, { fields }: Structure, random: Random): Uint8Array {
  const bytes = valid.slice();
  for (let left = 1 + below(random, 4); left > 0 && fields.length > 0; left--) {
    const field = pick(random, fields);
    const old = getField(bytes, field);
    const near = [old - 1n, old + 1n, old * 2n, old * 1000n, old / 2n, BigInt(below(random, 2 ** 16))];
    const kind = random();
    if (kind < 0.5) setField(bytes, field, pick(random, edgesOf(field)));
    else if (kind < 0.8) setField(bytes, field, pick(random, near));
    else setField(bytes, field, edgeNumber(random, bytes.length));
  }
  return bytes;
}

/** Takes a part away, repeats it, swaps it with another or puts it into another or into itself. */
export function changeParts(valid: Uint8Array, { parts }: Structure, random: Random): Uint8Array {
  if (parts.length === 0) return damage(valid, random);
  const part = pick(random, parts);
  const whole = valid.slice(part.at, part.end);
  const honest = random() < 0.7;
  const other = pick(random, parts);
  switch (below(random, 5)) {
    case 0:
      return replace(valid, part.at, whole.length, new Uint8Array(0), honest ? part.parent : undefined);
    case 1:
      return repeatPart(valid, part, pick(random, [1, 1, 2, 50]));
    case 2:
      return swap(valid, part, other);
    case 3:
      return replace(valid, other.body, 0, whole, honest ? other : undefined);
    default:
      return nest(valid, part, pick(random, [2, 20, 500]));
  }
}

/** Changes a range and, if a part is given, the sizes of that part and of those around it. */
export function replace(
  valid: Uint8Array,
  at: number,
  remove: number,
  insert: Uint8Array,
  around: Part | undefined,
): Uint8Array {
  const bytes = valid.slice();
  for (let part = around; part !== undefined; part = part.parent)
    if (part.size) setField(bytes, part.size, getField(bytes, part.size) + BigInt(insert.length - remove));
  return splice(bytes, at, remove, insert);
}

function swap(valid: Uint8Array, a: Part, b: Part): Uint8Array {
  const [first, second] = a.at < b.at ? [a, b] : [b, a];
  if (second.at < first.end) return valid.slice();
  return joined([
    valid.subarray(0, first.at),
    valid.subarray(second.at, second.end),
    valid.subarray(first.end, second.at),
    valid.subarray(first.at, first.end),
    valid.subarray(second.end),
  ]);
}

/** Adds copies of a part behind it. */
export function repeatPart(valid: Uint8Array, part: Part, times: number): Uint8Array {
  return replace(valid, part.end, 0, repeat(valid.slice(part.at, part.end), times), part.parent);
}

/** Puts copies of a part's header around it, `depth` times, each with the size that it then has. */
export function nest(valid: Uint8Array, part: Part, depth: number): Uint8Array {
  const header = valid.slice(part.at, part.body);
  const headers = repeat(header, depth);
  const { size } = part;
  if (size) {
    for (let i = 0; i < depth; i++) {
      const field = { ...size, at: size.at - part.at + i * header.length };
      setField(headers, field, getField(valid, size) + BigInt((depth - i) * header.length));
    }
  }
  return replace(valid, part.at, 0, headers, part.parent);
}

function repeat(bytes: Uint8Array, times: number): Uint8Array {
  return joined(new Array<Uint8Array>(times).fill(bytes));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Four letters as they stand in the file. */
export function tag(bytes: Uint8Array, at: number, length = 4): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** True if the bytes at that place are these letters. */
export function isTag(bytes: Uint8Array, at: number, letters: string): boolean {
  return tag(bytes, at, letters.length) === letters;
}

/** Fields of consecutive widths from `at` on. */
export function fieldsAt(
  name: string,
  at: number,
  kind: 'big' | 'little',
  members: readonly (readonly [name: string, width: number])[],
): Field[] {
  let next = at;
  return members.map(([member, width]) => {
    const field: Field = { name: `${name}.${member}`, at: next, width, kind };
    next += width;
    return field;
  });
}

/** Files have many packets and few headers: of fields of one name the first two and the last remain. */
export function thinned(fields: readonly Field[]): Field[] {
  const counts = new Map<string, number>();
  for (const { name } of fields) counts.set(name, (counts.get(name) ?? 0) + 1);
  const seen = new Map<string, number>();
  return fields.filter(({ name }) => {
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    return nth <= 2 || nth === counts.get(name);
  });
}
