import {
  adam,
  clipNorm,
  sgd,
  type AdamSettings,
  type SgdSettings,
  type Span,
} from '../../kernels/optimizer.ts';
import type { BufferRef } from '../../gpu/dispatch.ts';
import { optimizerGate, type StepCounts } from '../../kernels/loss_scale.ts';
import { one, two } from '../../kernels/tuple.ts';
import type { Op } from '../graph/node.ts';

/*
 * The updates of optimisers, in place on flat vectors. They have no gradients and no outputs of their own, except the
 * norm. Formulas: shaders/adam.wgsl, sgd.wgsl, sum_squares.wgsl and clip_coefficient.wgsl.
 */

/** Of every update; inputs that are not there are left out. */
interface UpdateAttrs {
  readonly spans: readonly Span[];
  /** Whether gradients are multiplied by an f32 [1], the first input after the vectors. */
  readonly scaled: boolean;
  /** Whether a gate decides about the step, the last input. */
  readonly gated: boolean;
  /** A copy of the parameters as f16 that is to follow them; the planner's. */
  readonly packed?: BufferRef;
}

/** The inputs that follow the vectors. */
function extras(rest: readonly BufferRef[], { scaled, gated, packed }: UpdateAttrs) {
  const [gradScale, gate] = [scaled ? rest[0] : null, gated ? rest[scaled ? 1 : 0] : null];
  if (gradScale === undefined || gate === undefined)
    throw new RangeError('an update lacks its gradient scale or its gate');
  return { gradScale, gate, packed: packed ?? null };
}

/** Inputs: parameters, gradients, first moments, second moments; then what `UpdateAttrs` says. */
export const adamOp: Op<AdamSettings & UpdateAttrs> = {
  name: 'adam',
  updatesCopy: true,
  mutates: [0, 2, 3],
  lower: ({ geometry }, { inputs, attrs }) => {
    const [parameters, gradients, firstMoments, secondMoments, ...rest] = inputs;
    if (!parameters || !gradients || !firstMoments || !secondMoments)
      throw new RangeError('adam takes at least 4 inputs');
    const buffers = { parameters, gradients, firstMoments, secondMoments, ...extras(rest, attrs) };
    return adam(geometry, buffers, attrs.spans, attrs);
  },
};

type SgdAttrs = SgdSettings & UpdateAttrs;

/** Inputs: parameters, gradients; then what `UpdateAttrs` says. For momentum 0. */
export const sgdOp: Op<SgdAttrs> = {
  name: 'sgd',
  updatesCopy: true,
  mutates: [0],
  lower: ({ geometry }, { inputs: [parameters, gradients, ...rest], attrs }) => {
    if (!parameters || !gradients) throw new RangeError('sgd takes at least 2 inputs');
    const buffers = { parameters, gradients, momentum: null, ...extras(rest, attrs) };
    return sgd(geometry, buffers, attrs.spans, attrs);
  },
};

/** Inputs: parameters, gradients, momentum buffer; then what `UpdateAttrs` says. */
export const sgdMomentumOp: Op<SgdAttrs> = {
  name: 'sgd with momentum',
  updatesCopy: true,
  mutates: [0, 2],
  lower: ({ geometry }, { inputs: [parameters, gradients, momentum, ...rest], attrs }) => {
    if (!parameters || !gradients || !momentum)
      throw new RangeError('sgd with momentum takes at least 3 inputs');
    const buffers = { parameters, gradients, momentum, ...extras(rest, attrs) };
    return sgd(geometry, buffers, attrs.spans, attrs);
  },
};

export type GateAttrs = Pick<StepCounts, 'spans' | 'betas'>;

/**
 * Decides on the device whether an update is made. Inputs: the loss scale's state; with counts, the numbers of steps, u32. Output: the
 * gate, f32 [3].
 */
export const gateOp: Op<GateAttrs | null> = {
  name: 'optimizer gate',
  mutates: [0, 1],
  lower: (_context, { inputs: [state, steps], outputs, attrs }) => {
    if (!state || (attrs !== null && !steps)) throw new RangeError('a gate lacks its state or its steps');
    return optimizerGate(state, one(outputs), attrs !== null && steps ? { steps, ...attrs } : null);
  },
};

interface GradNormAttrs {
  /** For each input the parts that count. */
  readonly spans: readonly (readonly Span[])[];
  readonly maxNorm: number;
}

/** Inputs: vectors. Outputs: their common norm, and min(1, maxNorm / (norm + 1e-6)), both f32 [1]. */
export const gradNormOp: Op<GradNormAttrs> = {
  name: 'gradient norm',
  lower: (context, { inputs, outputs, attrs }) => {
    const [norm, coefficient] = two(outputs);
    const vectors = inputs.map((buffer, i) => ({ buffer, spans: attrs.spans[i] ?? [] }));
    return clipNorm(context, vectors, norm, coefficient, attrs.maxNorm);
  },
};
