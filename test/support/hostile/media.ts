/*
 * Media files that want to do harm or are damaged: mutations of small valid ones (media-seeds.ts), the same for the same seed.
 * Each must be decoded, or refused by one clear sentence, within limits of time and memory.
 */
import { permutation, randomStream } from '../../../src/avsc/dataset/random.ts';
import { describeEbml } from './media/ebml.ts';
import { describeMp4 } from './media/mp4.ts';
import {
  describeAdts,
  describeFlac,
  describeMp3,
  describeOgg,
  describeTs,
  sealOgg,
} from './media/streams.ts';
import {
  changeFields,
  changeParts,
  edgesOf,
  nest,
  repeatPart,
  replace,
  setField,
  type Describe,
  type Structure,
} from './media/structure.ts';
import { describeWave } from './media/wave.ts';
import { damage, pick, type Random } from './random.ts';

interface Format {
  readonly describe: Describe;
  /** Makes checksums right again, without which readers look no further. */
  readonly seal?: (bytes: Uint8Array) => Uint8Array;
}

const FORMATS = {
  mp4: { describe: describeMp4 },
  mkv: { describe: describeEbml },
  webm: { describe: describeEbml },
  ts: { describe: describeTs },
  wav: { describe: describeWave },
  mp3: { describe: describeMp3 },
  aac: { describe: describeAdts },
  ogg: { describe: describeOgg, seal: sealOgg },
  flac: { describe: describeFlac },
} as const satisfies Record<string, Format>;

export type MediaFormat = keyof typeof FORMATS;
export const MEDIA_FORMATS = Object.keys(FORMATS) as readonly MediaFormat[];

/** Valid files of each format, at least one each. */
export type MediaSeeds = Readonly<Record<MediaFormat, readonly Uint8Array[]>>;

/** A mutation and what it changes. */
interface Case {
  readonly what: string;
  readonly make: () => Uint8Array;
}

const DEEP = 2000;
const known = new WeakMap<MediaSeeds, Map<MediaFormat, readonly Case[]>>();

/**
 * Input `index`. Even ones are systematic, in an order that depends on the seed, until all are used up: they take away, repeat
 * or nest a part, or set a field to an edge. The others are random.
 */
export function hostileMedia(
  format: MediaFormat,
  seed: number,
  index: number,
  seeds: MediaSeeds,
): Uint8Array {
  const { describe, seal = unchanged }: Format = FORMATS[format];
  const systematic = caseOf(format, seed, index, seeds);
  if (systematic) return seal(systematic.make());
  const random = randomStream(format, seed, index);
  const bytes = mutate(pick(random, seeds[format]), describe, random);
  return random() < 0.9 ? seal(bytes) : bytes;
}

/** What input `index` changes, such as `seed 0: moov/mvhd.timescale = 0`. */
export function changeOf(format: MediaFormat, seed: number, index: number, seeds: MediaSeeds): string {
  return caseOf(format, seed, index, seeds)?.what ?? 'random damage';
}

function caseOf(format: MediaFormat, seed: number, index: number, seeds: MediaSeeds): Case | undefined {
  if (index % 2 === 1) return undefined;
  const cases = casesOf(format, seeds);
  return cases[orderOf(format, seed, cases.length)[index / 2] ?? cases.length];
}

const unchanged = (bytes: Uint8Array): Uint8Array => bytes;

function mutate(valid: Uint8Array, describe: Describe, random: Random): Uint8Array {
  const kind = random();
  if (kind < 0.5) return changeFields(valid, describe(valid), random);
  if (kind < 0.75) return changeParts(valid, describe(valid), random);
  if (kind < 0.9) return damage(valid, random);
  const changed = changeParts(valid, describe(valid), random);
  return changeFields(changed, describe(changed), random);
}

const orders = new Map<string, Uint32Array>();

function orderOf(format: MediaFormat, seed: number, count: number): Uint32Array {
  const key = `${format} ${seed} ${count}`;
  const order = orders.get(key) ?? permutation(count, randomStream(format, seed, 'order'));
  orders.set(key, order);
  return order;
}

function casesOf(format: MediaFormat, seeds: MediaSeeds): readonly Case[] {
  const ofSeeds = known.get(seeds) ?? new Map<MediaFormat, readonly Case[]>();
  known.set(seeds, ofSeeds);
  const cases = ofSeeds.get(format) ?? makeCases(format, seeds[format]);
  ofSeeds.set(format, cases);
  return cases;
}

function makeCases(format: MediaFormat, valid: readonly Uint8Array[]): Case[] {
  const described = valid.map((bytes, i) => {
    const structure = FORMATS[format].describe(bytes);
    return { bytes, structure, label: `seed ${i}` };
  });
  const rounds = edgesOf({ name: '', at: 0, width: 8, kind: 'big' }).map((_, round) =>
    described.flatMap(({ bytes, structure, label }) => fieldCases(bytes, structure, label, round)),
  );
  return [
    ...described.flatMap(({ bytes, structure, label }) => partCases(bytes, structure, label)),
    ...rounds.flat(),
  ];
}

/** Each field at one of its edges, a different one in each round. */
function fieldCases(bytes: Uint8Array, { fields }: Structure, label: string, round: number): Case[] {
  return fields.map((field, i) => {
    const edges = edgesOf(field);
    const value = edges[(i + round) % edges.length] ?? 0n;
    return {
      what: `${label}: ${field.name} = ${value}`,
      make: () => {
        const changed = bytes.slice();
        setField(changed, field, value);
        return changed;
      },
    };
  });
}

/** The first part of each name taken away, repeated, repeated often, and nested in itself. */
function partCases(bytes: Uint8Array, { parts }: Structure, label: string): Case[] {
  const byName = new Map(parts.toReversed().map((part) => [part.name, part]));
  const nothing = new Uint8Array(0);
  return [...byName].flatMap(([name, part]) => [
    {
      what: `${label}: without ${name}`,
      make: () => replace(bytes, part.at, part.end - part.at, nothing, part.parent),
    },
    { what: `${label}: ${name} twice`, make: () => repeatPart(bytes, part, 1) },
    { what: `${label}: ${name} a hundred times`, make: () => repeatPart(bytes, part, 100) },
    { what: `${label}: ${name} within itself, ${DEEP} deep`, make: () => nest(bytes, part, DEEP) },
  ]);
}
