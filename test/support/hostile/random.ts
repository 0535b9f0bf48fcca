// Damage that fits any format, drawn from one stream of random numbers.
import { uniform, type Random } from '../../../src/avsc/dataset/random.ts';

export type { Random };

export const below = (random: Random, count: number): number => Math.floor(random() * count);

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[below(random, items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Numbers at which sizes and offsets go wrong. */
export function edgeNumber(random: Random, size: number): bigint {
  const edges = [
    0n,
    1n,
    -1n,
    2n,
    7n,
    255n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 40n,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
  ];
  const near = [BigInt(size), BigInt(size - 1), BigInt(size + 1), BigInt(below(random, size + 1))];
  return pick(random, [...edges, ...near]);
}

/** Writes the low bytes of a number, little-endian, as far as they fit. */
export function setNumber(bytes: Uint8Array, at: number, width: number, value: bigint): void {
  for (let i = 0; i < width && at + i < bytes.length; i++)
    bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}

export function splice(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  const result = new Uint8Array(at + insert.length + Math.max(bytes.length - at - remove, 0));
  result.set(bytes.subarray(0, at));
  result.set(insert, at);
  result.set(bytes.subarray(Math.min(at + remove, bytes.length)), at + insert.length);
  return result;
}

/** One to six damages: flipped bits, other bytes, edge numbers, cuts, pieces moved, inserted or lost. */
export function damage(valid: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = valid.slice();
  for (let left = 1 + below(random, 6); left > 0 && bytes.length > 0; left--) {
    const at = below(random, bytes.length);
    const length = 1 + below(random, 64);
    const kind = random();
    if (kind < 0.3) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
    else if (kind < 0.5) bytes[at] = below(random, 256);
    else if (kind < 0.65) setNumber(bytes, at, pick(random, [2, 4, 8]), edgeNumber(random, bytes.length));
    else if (kind < 0.75) bytes.copyWithin(at, below(random, bytes.length), below(random, bytes.length));
    else if (kind < 0.85) bytes = splice(bytes, at, 0, bytes.slice(at, at + length));
    else if (kind < 0.93) bytes = splice(bytes, at, length, new Uint8Array(0));
    else bytes = bytes.slice(0, Math.floor(bytes.length * uniform(random, 0, 1)));
  }
  return bytes;
}

export function ascii(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
