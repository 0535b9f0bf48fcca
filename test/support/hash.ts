/**
 * Deterministic values from (name, index), bit for bit those of tools/hash.py, so that fixtures hold results alone.
 *
 *   word(name, i)    = mix(mix(i) ^ fnv1a(name)), 32 bits
 *   uniform(name, i) = (word >>> 8) / 2^23 - 1, in [-1, 1), exact in f32
 *   normal(name, i)  = the sum of the four 16-bit halves of words 2i and 2i + 1, centred and scaled to variance 1
 */
const NORMAL_SCALE = Math.sqrt(3) / 65536;

export function fnv1a(name: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) value = Math.imul(value ^ byte, 0x01000193);
  return value;
}

function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0xd35a2d97);
  return x ^ (x >>> 15);
}

/** Word i of the stream that starts from `seed = fnv1a(name)`, unsigned. */
export const hashWord = (seed: number, i: number): number => mix(mix(i) ^ seed) >>> 0;

export function uniform(name: string, count: number): Float32Array {
  const seed = fnv1a(name);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = (hashWord(seed, i) >>> 8) / 2 ** 23 - 1;
  return values;
}

export function normal(name: string, count: number): Float32Array {
  const seed = fnv1a(name);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const a = hashWord(seed, 2 * i);
    const b = hashWord(seed, 2 * i + 1);
    values[i] = ((a & 0xffff) + (a >>> 16) + (b & 0xffff) + (b >>> 16) - 131070) * NORMAL_SCALE;
  }
  return values;
}

/**
 * `unit` lies in [0, 1), `positive` in [0.1, 1.1), `halfZero` is 0 half of the time, `mask` is 0 or 1, `index:N` an
 * integer below N.
 */
export type HashKind = 'uniform' | 'normal' | 'unit' | 'positive' | 'halfZero' | 'mask' | `index:${number}`;

export function hashIndices(name: string, count: number, below: number): Int32Array {
  const seed = fnv1a(name);
  return Int32Array.from({ length: count }, (_, i) => hashWord(seed, i) % below);
}

/** Values of an input of a case, times `scale`; integers for `index:N`. */
export function hashValues(
  name: string,
  count: number,
  kind: HashKind,
  scale = 1,
): Float32Array | Int32Array {
  switch (kind) {
    case 'uniform':
      return uniform(name, count).map((u) => scale * u);
    case 'normal':
      return normal(name, count).map((n) => scale * n);
    case 'unit':
      return uniform(name, count).map((u) => (scale * (u + 1)) / 2);
    case 'positive':
      return uniform(name, count).map((u) => scale * (0.1 + Math.abs(u)));
    case 'halfZero':
      return uniform(name, count).map((u) => scale * Math.max(u, 0));
    case 'mask':
      return uniform(name, count).map((u) => (u > 0 ? scale : 0));
    default:
      return hashIndices(name, count, Number(kind.slice('index:'.length)));
  }
}
