// Counter-based random numbers: the same key gives the same numbers, wherever a run was resumed.

/** A stream of numbers in [0, 1). */
export type Random = () => number;

/**
 * Stream for a key of integers or strings, such as (seed, epoch): the n-th number is a hash of key and n.
 * The hash is the 32-bit finaliser of MurmurHash3 (Appleby), applied twice.
 */
export function randomStream(...key: readonly (number | string)[]): Random {
  let base = 0x9e3779b9;
  for (const part of key) {
    if (typeof part === 'number') base = mix(base ^ mix(part | 0) ^ mix((part / 2 ** 32) | 0));
    else for (let i = 0; i < part.length; i++) base = mix(base + part.charCodeAt(i) + 1);
    base = mix(base + 0x85ebca6b);
  }
  let counter = 0;
  return () => mix(mix(counter++ ^ base) + base) / 2 ** 32;
}

/** The integers 0 .. count - 1 in random order (Fisher and Yates). */
export function permutation(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const moved = order[i] as number;
    order[i] = order[j] as number;
    order[j] = moved;
  }
  return order;
}

/** A number in [low, high). */
export function uniform(random: Random, low: number, high: number): number {
  return low + (high - low) * random();
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
