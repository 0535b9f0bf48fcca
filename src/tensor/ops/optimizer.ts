import {
  adam,
  clipNorm,
  sgd,
  type AdamSettings,
  type SgdSettings,
  type Span,
} from '../../kernels/optimizer.ts';
import { two } from '../../kernels/tuple.ts';
import type { Op } from '../graph/node.ts';

/*
 * The updates of optimisers, in place on flat vectors. They have no gradients and no outputs of their own, except the
 * norm. Formulas: shaders/adam.wgsl, sgd.wgsl, sum_squares.wgsl and clip_coefficient.wgsl.
 */

/** Inputs: parameters, gradients, first moments, second moments; then, where gradients are scaled, an f32 [1]. */
export const adamOp: Op<AdamSettings & { readonly spans: readonly Span[] }> = {
  name: 'adam',
  mutates: [0, 2, 3],
  lower: (
    { geometry },
    { inputs: [parameters, gradients, firstMoments, secondMoments, gradScale = null], attrs },
  ) => {
    if (!parameters || !gradients || !firstMoments || !secondMoments)
      throw new RangeError('adam takes 4 or 5 inputs');
    return adam(
      geometry,
      { parameters, gradients, firstMoments, secondMoments, gradScale },
      attrs.spans,
      attrs,
    );
  },
};

type SgdAttrs = SgdSettings & { readonly spans: readonly Span[] };

/** Inputs: parameters, gradients; then, where gradients are scaled, an f32 [1]. For momentum 0. */
export const sgdOp: Op<SgdAttrs> = {
  name: 'sgd',
  mutates: [0],
  lower: ({ geometry }, { inputs: [parameters, gradients, gradScale = null], attrs }) => {
    if (!parameters || !gradients) throw new RangeError('sgd takes 2 or 3 inputs');
    return sgd(geometry, { parameters, gradients, momentum: null, gradScale }, attrs.spans, attrs);
  },
};

/** Inputs: parameters, gradients, momentum buffer; then, where gradients are scaled, an f32 [1]. */
export const sgdMomentumOp: Op<SgdAttrs> = {
  name: 'sgd with momentum',
  mutates: [0, 2],
  lower: ({ geometry }, { inputs: [parameters, gradients, momentum, gradScale = null], attrs }) => {
    if (!parameters || !gradients || !momentum) throw new RangeError('sgd with momentum takes 3 or 4 inputs');
    return sgd(geometry, { parameters, gradients, momentum, gradScale }, attrs.spans, attrs);
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
