import adamSource from '../../shaders/adam.wgsl';
import clipSource from '../../shaders/clip_coefficient.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import sgdSource from '../../shaders/sgd.wgsl';
import sumSquaresSource from '../../shaders/sum_squares.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { DTYPE_BYTES, f32, u32, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread, type KernelContext } from './context.ts';
import { reduce } from './reduce.ts';
import { expandTemplate } from './template.ts';

/** Elements [offset, offset + length) of flat vectors. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

export interface AdamSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** L2 penalty, added to the gradient; 0 where the decay is decoupled. */
  readonly weightDecay: number;
  /** Index in the run's scalars of lr / (1 - beta1^t); of lr where there is a gate. */
  readonly stepSize: number;
  /** Index in the run's scalars of sqrt(1 - beta2^t); not read where there is a gate. */
  readonly denominator: number;
  /** AdamW: index in the run's scalars of lr * weight decay, by which parameters shrink; null for Adam. */
  readonly decay: number | null;
}

interface AdamBuffers {
  readonly parameters: BufferRef;
  readonly gradients: BufferRef;
  readonly firstMoments: BufferRef;
  readonly secondMoments: BufferRef;
  /** f32 [1] that gradients are multiplied by; null for 1. */
  readonly gradScale: BufferRef | null;
  /** f32 [3] that shaders/optimizer_gate.wgsl writes; null where every step is taken. */
  readonly gate: BufferRef | null;
  /** A copy of the parameters as f16, which is written too; null for none. */
  readonly packed: BufferRef | null;
}

/** A step of Adam or AdamW in each span. */
export function adam(
  geometry: AdapterProfile,
  buffers: AdamBuffers,
  spans: readonly Span[],
  settings: AdamSettings,
): Dispatch[] {
  const { parameters, gradients, firstMoments, secondMoments, gradScale, gate, packed } = buffers;
  const [beta1, beta2] = settings.betas;
  const operands: Operand[] = [
    { buffer: parameters, access: 'readwrite' },
    { buffer: gradients, access: 'read' },
    { buffer: firstMoments, access: 'readwrite' },
    { buffer: secondMoments, access: 'readwrite' },
    ...readIfThere(gradScale),
    ...readIfThere(gate),
    ...copyOperand(packed),
  ];
  return piecesOf(spans, parameters.length).map(({ offset, count, width }) => ({
    label: `${settings.decay === null ? 'adam' : 'adamw'} [${count * width}]`,
    code: expandTemplate('adam', adamSource, {
      include: { threads: threadsLibrary },
      when: {
        SCALED: gradScale !== null,
        GATED: gate !== null,
        PACKED: packed !== null,
        DECOUPLED: settings.decay !== null,
      },
      substitute: { TYPE_: typeOf(width), ...bindingsAfter(4, gradScale, gate, packed) },
    }),
    params: {
      offset: u32(offset),
      threads: u32(count),
      beta1: f32(beta1),
      // Taken here, in double precision: 1 - 0.999 in f32 is off by 1e-5.
      rest1: f32(1 - beta1),
      beta2: f32(beta2),
      rest2: f32(1 - beta2),
      eps: f32(settings.eps),
      weight_decay: f32(settings.weightDecay),
      step_size: u32(settings.stepSize),
      denominator: u32(settings.denominator),
      decay: u32(settings.decay ?? 0),
    },
    operands,
    usesScalars: true,
    workgroups: spread(geometry, Math.ceil(count / 64)),
    flops: 14 * count * width,
    bytes: count * width * (7 * DTYPE_BYTES.f32 + (packed === null ? 0 : DTYPE_BYTES.f16)),
  }));
}

export interface SgdSettings {
  readonly momentum: number;
  readonly nesterov: boolean;
  /** L2 penalty, added to the gradient. */
  readonly weightDecay: number;
  /** Index of the learning rate in the run's scalars. */
  readonly lr: number;
}

interface SgdBuffers {
  readonly parameters: BufferRef;
  readonly gradients: BufferRef;
  /** Starts as 0; null without momentum. */
  readonly momentum: BufferRef | null;
  /** f32 [1] that gradients are multiplied by; null for 1. */
  readonly gradScale: BufferRef | null;
  /** f32 whose first element is 0 where the step is skipped; null where every step is taken. */
  readonly gate: BufferRef | null;
  /** A copy of the parameters as f16, which is written too; null for none. */
  readonly packed: BufferRef | null;
}

/** A step of stochastic gradient descent in each span. */
export function sgd(
  geometry: AdapterProfile,
  { parameters, gradients, momentum, gradScale, gate, packed }: SgdBuffers,
  spans: readonly Span[],
  settings: SgdSettings,
): Dispatch[] {
  const operands: Operand[] = [
    { buffer: parameters, access: 'readwrite' },
    { buffer: gradients, access: 'read' },
    ...(momentum === null ? [] : [{ buffer: momentum, access: 'readwrite' as const }]),
    ...readIfThere(gradScale),
    ...readIfThere(gate),
    ...copyOperand(packed),
  ];
  return piecesOf(spans, parameters.length).map(({ offset, count, width }) => ({
    label: `sgd [${count * width}]`,
    code: expandTemplate('sgd', sgdSource, {
      include: { threads: threadsLibrary },
      when: {
        MOMENTUM: momentum !== null,
        NESTEROV: settings.nesterov,
        SCALED: gradScale !== null,
        GATED: gate !== null,
        PACKED: packed !== null,
      },
      substitute: {
        TYPE_: typeOf(width),
        ...bindingsAfter(momentum === null ? 2 : 3, gradScale, gate, packed),
      },
    }),
    params: {
      offset: u32(offset),
      threads: u32(count),
      momentum: f32(settings.momentum),
      weight_decay: f32(settings.weightDecay),
      lr: u32(settings.lr),
    },
    operands,
    usesScalars: true,
    workgroups: spread(geometry, Math.ceil(count / 64)),
    flops: (momentum === null ? 4 : 6) * count * width,
    bytes:
      count *
      width *
      ((momentum === null ? 3 : 5) * DTYPE_BYTES.f32 + (packed === null ? 0 : DTYPE_BYTES.f16)),
  }));
}

/** A vector and the parts of it that count. */
interface Spanned {
  readonly buffer: BufferRef;
  readonly spans: readonly Span[];
}

/** Euclidean norm over all spans, and min(1, maxNorm / (norm + 1e-6)), both f32 [1]. */
export function clipNorm(
  context: KernelContext,
  vectors: readonly Spanned[],
  norm: BufferRef,
  coefficient: BufferRef,
  maxNorm: number,
): Dispatch[] {
  const { geometry } = context;
  // Each thread sums elements that are `threads` apart.
  const most = 4 * geometry.threadsToFill;
  let length = 0;
  const parts = vectors.flatMap(({ buffer, spans }) =>
    piecesOf(spans, buffer.length).map((piece) => {
      const first = length;
      const threads = Math.min(piece.count, most);
      length += threads;
      return { ...piece, buffer, first, threads };
    }),
  );
  const partial = context.temporary(length);
  const total = context.temporary(1);
  return [
    ...parts.map(({ buffer, offset, count, width, first, threads }) => ({
      label: `sum of squares [${count * width}]`,
      code: expandTemplate('sum_squares', sumSquaresSource, {
        include: { threads: threadsLibrary },
        when: { VECTOR: width === 4 },
        substitute: { TYPE_: typeOf(width) },
      }),
      params: { offset: u32(offset), count: u32(count), threads: u32(threads), first: u32(first) },
      operands: [
        { buffer, access: 'read' as const },
        { buffer: partial, access: parts.length === 1 ? ('write' as const) : ('readwrite' as const) },
      ],
      workgroups: spread(geometry, Math.ceil(threads / 64)),
      flops: 2 * count * width,
      bytes: (count * width + threads) * DTYPE_BYTES.f32,
    })),
    ...reduce(context, 'sum', partial, total, [{ size: length, reduced: true }]),
    {
      label: 'clip coefficient',
      code: expandTemplate('clip_coefficient', clipSource, { include: { nan } }),
      params: { max_norm: f32(maxNorm) },
      operands: [
        { buffer: total, access: 'read' },
        { buffer: norm, access: 'write' },
        { buffer: coefficient, access: 'write' },
      ],
      workgroups: [1, 1, 1],
      flops: 3,
      bytes: 3 * DTYPE_BYTES.f32,
    },
  ];
}

/** Part of a span, in units of `width` elements. */
interface Piece {
  readonly offset: number;
  readonly count: number;
  readonly width: 1 | 4;
}

/** Vectors of four elements where a span is aligned, and the rest at its end element by element. */
export function piecesOf(spans: readonly Span[], bufferLength: number): Piece[] {
  return spans.flatMap(({ offset, length }): Piece[] => {
    if (bufferLength % 4 !== 0 || offset % 4 !== 0) return [{ offset, count: length, width: 1 }];
    const rest = length % 4;
    const whole = length - rest;
    return [
      ...(whole > 0 ? [{ offset: offset / 4, count: whole / 4, width: 4 as const }] : []),
      ...(rest > 0 ? [{ offset: offset + whole, count: rest, width: 1 as const }] : []),
    ];
  });
}

export const typeOf = (width: 1 | 4): string => (width === 4 ? 'vec4f' : 'f32');

const readIfThere = (buffer: BufferRef | null): Operand[] =>
  buffer === null ? [] : [{ buffer, access: 'read' }];

/** Only the spans are written. */
const copyOperand = (buffer: BufferRef | null): Operand[] =>
  buffer === null ? [] : [{ buffer, access: 'readwrite' }];

/** Bindings of what follows the `first` vectors of an update; those of what is not there are not used. */
function bindingsAfter(
  first: number,
  gradScale: BufferRef | null,
  gate: BufferRef | null,
  packed: BufferRef | null,
) {
  const gateBinding = first + (gradScale === null ? 0 : 1);
  const packedBinding = gateBinding + (gate === null ? 0 : 1);
  const params = packedBinding + (packed === null ? 0 : 1);
  return {
    SCALE_BINDING_: first,
    GATE_BINDING_: gateBinding,
    PACKED_BINDING_: packedBinding,
    PARAMS_BINDING_: params,
    SCALARS_BINDING_: params + 1,
  };
}
