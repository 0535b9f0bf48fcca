import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ascii, below, damage, edgeNumber, pick, setNumber, type Random } from './random.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/checkpoints');
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, name)));

const valid = ['keras_types.h5', 'keras_texts.h5', 'keras_latest.h5'].map(fixture);

const SIGNATURES = [
  'TREE',
  'SNOD',
  'HEAP',
  'GCOL',
  'OHDR',
  'OCHK',
  'FRHP',
  'FHDB',
  'FHIB',
  'BTHD',
  'BTLF',
  'BTIN',
].map(ascii);

interface Structure {
  /** Where parts of the structure begin. */
  readonly parts: readonly number[];
  /** Where 8 bytes are that may be an address. */
  readonly addresses: readonly number[];
}

const structures = new Map(valid.map((bytes) => [bytes, structureOf(bytes)]));

function structureOf(bytes: Uint8Array): Structure {
  const view = new DataView(bytes.buffer);
  const parts = [0];
  const addresses: number[] = [];
  for (let at = 0; at + 8 <= bytes.length; at++) {
    if (SIGNATURES.some((signature) => signature.every((byte, i) => bytes[at + i] === byte))) parts.push(at);
    const value = view.getBigUint64(at, true);
    if (value >= 48n && value < BigInt(bytes.length)) {
      addresses.push(at);
      // Object headers of version 1 have no signature but are pointed at.
      if (bytes[Number(value)] === 1) parts.push(Number(value));
    }
  }
  return { parts, addresses };
}

/** A file whose root group is the header at 48 that `root` makes. */
function withRoot(size: number, root: (file: Uint8Array, at: number) => void): Uint8Array {
  const file = new Uint8Array(size);
  file.set([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 2, 8, 8]);
  setNumber(file, 20, 8, -1n);
  setNumber(file, 28, 8, BigInt(size));
  setNumber(file, 36, 8, 48n);
  root(file, 48);
  return file;
}

/** An object header (version 2) with one message of 16 bytes: two numbers. */
function header(file: Uint8Array, at: number, type: number, first: number, second: number): void {
  file.set(ascii('OHDR'), at);
  file.set([2, 2, 20, 0, 0, 0, type, 16, 0, 0], at + 4);
  setNumber(file, at + 14, 8, BigInt(first));
  setNumber(file, at + 22, 8, BigInt(second));
}

/** A block of empty messages that ends in its own continuation. */
function endlessMessages(): Uint8Array {
  const bytes = 40_000;
  return withRoot(64_000, (file, at) => {
    header(file, at, 0x10, 1024, bytes);
    file.set(ascii('OCHK'), 1024);
    file.set([0x10, 16, 0, 0], 1028);
    setNumber(file, 1032, 8, 1024n);
    setNumber(file, 1040, 8, BigInt(bytes));
  });
}

/** A tree whose nodes have one and the same child 200 times, over 20 levels. */
function bushyTree(): Uint8Array {
  const [levels, children, bytes] = [20, 200, 4096];
  return withRoot(bytes * (levels + 2), (file, at) => {
    const place = (level: number): number => bytes * (levels - level + 1);
    header(file, at, 0x11, place(levels), 1024);
    file.set(ascii('HEAP'), 1024);
    setNumber(file, 1032, 8, 8n);
    setNumber(file, 1048, 8, 2048n);
    for (let level = 0; level <= levels; level++) {
      const node = place(level);
      file.set(ascii('TREE'), node);
      file.set([0, level, children], node + 4);
      for (let i = 0; i < children; i++)
        setNumber(file, node + 32 + 16 * i, 8, BigInt(level === 0 ? 0 : place(level - 1)));
    }
  });
}

/** Every address points at the first structure: trees of themselves, objects of themselves. */
function rings(bytes: Uint8Array): Uint8Array {
  const ring = bytes.slice();
  const tree = structureOf(bytes).parts.find((at) => bytes[at] === 0x54) ?? 96;
  for (const at of structureOf(bytes).addresses.slice(8)) setNumber(ring, at, 8, BigInt(tree));
  return ring;
}

export const HANDMADE: readonly (() => Uint8Array)[] = [
  ...['bomb', 'external_data', 'external_link', 'soft_link', 'virtual', 'never_written'].map(
    (name) => () => fixture(`keras_refused_${name}.h5`),
  ),
  // A signature behind many bytes of the user's, and one with nothing behind it.
  () => {
    const file = new Uint8Array(2 ** 20 + 8);
    file.set([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], 2 ** 20);
    return file;
  },
  ...valid.map((bytes) => () => rings(bytes)),
  endlessMessages,
  bushyTree,
];

/** Fields of the structure changed, addresses exchanged, or any bytes changed. */
export function mutate(random: Random): Uint8Array {
  const seed = pick(random, valid);
  const structure = structures.get(seed);
  if (structure === undefined || random() < 0.2) return damage(seed, random);
  const bytes = seed.slice();
  const view = new DataView(bytes.buffer);
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const kind = random();
    if (kind < 0.5) {
      const at = pick(random, structure.parts) + below(random, 80);
      setNumber(bytes, at, pick(random, [1, 1, 2, 4, 8]), edgeNumber(random, bytes.length));
    } else if (kind < 0.85) {
      const to = pick(random, structure.addresses);
      setNumber(bytes, to, 8, view.getBigUint64(pick(random, structure.addresses), true));
    } else {
      const at = pick(random, structure.parts);
      bytes.copyWithin(at, pick(random, structure.parts), pick(random, structure.parts) + below(random, 200));
    }
  }
  return bytes;
}
