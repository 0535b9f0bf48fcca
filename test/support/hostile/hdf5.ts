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
