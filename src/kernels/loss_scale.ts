import beginSource from '../../shaders/loss_scale_begin.wgsl';
import gateSource from '../../shaders/optimizer_gate.wgsl';
import lossScaleLibrary from '../../shaders/lib_loss_scale.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import unscaleSource from '../../shaders/loss_scale_unscale.wgsl';
import { DTYPE_BYTES, f32, u32, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread } from './context.ts';
import { piecesOf, typeOf, type Span } from './optimizer.ts';
import { expandTemplate } from './template.ts';

/** Words of the state; see shaders/lib_loss_scale.wgsl. */
export const LOSS_SCALE_WORDS = 6;

interface Growth {
  /** Steps in a row without overflow after which the scale doubles. */
  readonly growthInterval: number;
  readonly maxScale: number;
}

/** Settles the round before in `state` and writes the gradient that a backward starts from: the scale if `scaled`, else 1. */
export function beginRound(
  state: BufferRef,
  seed: BufferRef,
  { scaled, growthInterval, maxScale }: Growth & { readonly scaled: boolean },
): Dispatch {
  return {
    label: 'loss scale',
    code: expandTemplate('loss_scale_begin', beginSource, {
      include: { loss_scale: lossScaleLibrary },
      when: { SCALED_SEED: scaled },
    }),
    params: { growth_interval: u32(growthInterval), max_scale: f32(maxScale) },
    operands: [
      { buffer: state, access: 'readwrite' },
      { buffer: seed, access: 'write' },
    ],
    workgroups: [1, 1, 1],
    flops: 1,
    bytes: 2 * LOSS_SCALE_WORDS * DTYPE_BYTES.u32,
  };
}

/** g = g / scale in the spans of g, or g + x / scale where x is given; sets the state's overflow where g is not finite. */
export function unscale(
  geometry: AdapterProfile,
  g: BufferRef,
  x: BufferRef | null,
  state: BufferRef,
  spans: readonly Span[],
): Dispatch[] {
  const operands: Operand[] = [
    { buffer: g, access: 'readwrite' },
    { buffer: state, access: 'readwrite' },
    ...(x === null ? [] : [{ buffer: x, access: 'read' as const }]),
  ];
  return piecesOf(spans, g.length).map(({ offset, count, width }) => ({
    label: `unscale [${count * width}]`,
    code: expandTemplate('loss_scale_unscale', unscaleSource, {
      include: { loss_scale: lossScaleLibrary, threads: threadsLibrary },
      when: { ACCUMULATE: x !== null },
      substitute: { TYPE_: typeOf(width), BITS_: width === 4 ? 'vec4u' : 'u32' },
    }),
    params: { offset: u32(offset), threads: u32(count) },
    operands,
    workgroups: spread(geometry, Math.ceil(count / 64)),
    flops: (x === null ? 1 : 2) * count * width,
    bytes: (x === null ? 2 : 3) * count * width * DTYPE_BYTES.f32,
  }));
}

/** Numbers of steps of an optimizer's parameters, of which those in the spans take part in a step. */
export interface StepCounts {
  readonly steps: BufferRef;
  /** In parameters. */
  readonly spans: readonly Span[];
  readonly betas: readonly [number, number];
}

/** Writes the gate of a step; see shaders/optimizer_gate.wgsl. */
export function optimizerGate(state: BufferRef, gate: BufferRef, counts: StepCounts | null): Dispatch[] {
  // exp(-1e4) is 0, as beta^t is for a beta of 0.
  const rate = (beta: number): number => Math.min(-Math.log(beta), 1e4);
  const [beta1, beta2] = counts?.betas ?? [0, 0];
  return (counts?.spans ?? [{ offset: 0, length: 0 }]).map(({ offset, length }) => ({
    label: `optimizer gate [${length}]`,
    code: expandTemplate('optimizer_gate', gateSource, {
      include: { loss_scale: lossScaleLibrary },
      when: { COUNTED: counts !== null },
    }),
    ...(counts !== null && {
      params: { first: u32(offset), count: u32(length), rate1: f32(rate(beta1)), rate2: f32(rate(beta2)) },
    }),
    operands: [
      { buffer: state, access: 'readwrite' },
      // Without counts only the first element is made and read.
      { buffer: gate, access: 'readwrite' },
      ...(counts === null ? [] : [{ buffer: counts.steps, access: 'readwrite' as const }]),
    ],
    workgroups: [1, 1, 1],
    flops: 0,
    bytes: 2 * (LOSS_SCALE_WORDS + length) * DTYPE_BYTES.u32,
  }));
}
