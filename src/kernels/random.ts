import dropoutSource from '../../shaders/dropout.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import dropoutLibrary from '../../shaders/lib_dropout.wgsl';
import random from '../../shaders/lib_random.wgsl';
import fillSource from '../../shaders/random_fill.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, f32, u32, type BufferRef, type Dispatch, type ParamValue } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread } from './context.ts';
import { expandTemplate } from './template.ts';

/** `uniform` in [0, 1), `normal` with mean 0 and variance 1. */
export type Distribution = 'uniform' | 'normal';

/** What one random op draws; `op` numbers it within its recording. */
export function randomFill(
  geometry: AdapterProfile,
  distribution: Distribution,
  y: BufferRef,
  op: number,
): Dispatch {
  const { length } = y;
  return {
    label: `random ${distribution} [${length}]`,
    code: expandTemplate('random_fill', fillSource, {
      include: { random, threads: threadsLibrary },
      when: { VECTOR: length % 4 === 0, PAST: false },
      substitute: { SAMPLE_: `${distribution}_of` },
    }),
    params: { threads: u32(Math.ceil(length / 4)), length: u32(length), op: u32(op) },
    operands: [{ buffer: y, access: 'write' }],
    usesScalars: true,
    workgroups: spread(geometry, Math.ceil(length / 256)),
    flops: 0,
    bytes: bytesOf(y),
  };
}

export interface Dropout {
  /** Probability of 0, in [0, 1]. */
  readonly p: number;
  /** Number of the op within its recording; backward uses its forward's. */
  readonly op: number;
  /** Seed and step of an earlier run whose draws are wanted again; those of the run itself where absent. */
  readonly past?: { readonly seed: number; readonly step: number };
}

/** For shaders that include lib_dropout: what it needs, with or without a dropout. */
export function dropoutPart(dropout: Dropout | null): {
  readonly include: Record<string, string>;
  readonly when: Record<string, boolean>;
  readonly params: Record<string, ParamValue>;
  readonly usesScalars: boolean;
} {
  const include = { dropout: dropoutLibrary, nan, random };
  if (dropout === null)
    return { include, when: { DROPOUT: false, PAST: false }, params: {}, usesScalars: false };
  const { p, op, past } = dropout;
  return {
    include,
    when: { DROPOUT: true, PAST: past !== undefined },
    params: {
      op: u32(op),
      threshold: u32(dropoutThreshold(p)),
      keep_scale: f32(keepScale(p)),
      seed: u32(past?.seed ?? 0),
      step: u32(past?.step ?? 0),
    },
    usesScalars: past === undefined,
  };
}

/** What is kept is scaled up by this. */
const keepScale = (p: number): number => (p < 1 ? 1 / (1 - p) : 0);

/** y = x / (1 - p) where an element is kept, else 0; on dy it is dropout's backward. */
export function dropout(
  geometry: AdapterProfile,
  x: BufferRef,
  y: BufferRef,
  { p, op, past }: Dropout,
): Dispatch {
  const { length } = y;
  return {
    label: `dropout ${p} [${length}]`,
    code: expandTemplate('dropout', dropoutSource, {
      include: { random, nan, threads: threadsLibrary },
      when: { VECTOR: length % 4 === 0, PAST: past !== undefined },
    }),
    params: {
      threads: u32(Math.ceil(length / 4)),
      length: u32(length),
      op: u32(op),
      threshold: u32(dropoutThreshold(p)),
      scale: f32(keepScale(p)),
      seed: u32(past?.seed ?? 0),
      step: u32(past?.step ?? 0),
    },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    usesScalars: past === undefined,
    workgroups: spread(geometry, Math.ceil(length / 256)),
    flops: length,
    bytes: bytesOf(x) + bytesOf(y),
  };
}

/** An element is dropped where its 24 random bits are below this. */
export const dropoutThreshold = (p: number): number => Math.round(p * 2 ** 24);
