import { binary } from '../../kernels/binary.ts';
import { beginRound, unscale } from '../../kernels/loss_scale.ts';
import type { Span } from '../../kernels/optimizer.ts';
import { one, two } from '../../kernels/tuple.ts';
import type { Op } from './node.ts';

/** Bounds that torch.cuda.amp.GradScaler has too, but for the largest scale, which it lacks. */
export const GROWTH = { growthInterval: 2000, maxScale: 2 ** 24 };

/** Settles the round before. Input: the state. Output: the gradient that a backward starts from, f32 [1]. */
export const beginOp: Op<{ readonly scaled: boolean }> = {
  name: 'loss scale',
  mutates: [0],
  lower: (_, { inputs, outputs, attrs }) => [
    beginRound(one(inputs), one(outputs), { ...GROWTH, scaled: attrs.scaled }),
  ],
};

/** y = x s. Inputs: x, and s of one element. */
export const timesOp: Op<null> = {
  name: 'scale',
  lower({ geometry }, { inputs, outputs }) {
    const [x, s] = two(inputs);
    const shape = [x.length];
    return [
      binary(geometry, 'multiply', { buffer: x, shape }, { buffer: s, shape: [1] }, one(outputs), shape),
    ];
  },
};

/** g = g / scale in place, in the spans; an overflow is noted. Inputs: g, the state. */
export const unscaleOp: Op<readonly Span[]> = {
  name: 'unscale',
  mutates: [0, 1],
  lower({ geometry }, { inputs, attrs }) {
    const [g, state] = two(inputs);
    return unscale(geometry, g, null, state, attrs);
  },
};

/** g = g + x / scale in place; an overflow of g is noted. Inputs: g, the state, x. */
export const accumulateUnscaledOp: Op<null> = {
  name: 'accumulate unscaled',
  mutates: [0, 1],
  lower({ geometry }, { inputs: [g, state, x] }) {
    if (!g || !state || !x) throw new RangeError('accumulate unscaled takes 3 inputs');
    return unscale(geometry, g, x, state, [{ offset: 0, length: g.length }]);
  },
};
