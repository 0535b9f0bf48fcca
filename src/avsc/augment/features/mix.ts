// Mixing of rows, mixup (Zhang et al. 2018): one ratio for all inputs and labels of a sample.

import { Generator } from '../../../tensor/graph/random.ts';
import { formatShape } from '../../../tensor/graph/shape.ts';
import type { Recorder, Tensor } from '../../../tensor/graph/tensor.ts';
import { formatValue } from '../../../tensor/graph/wording.ts';
import { add, mul, sub } from '../../../tensor/ops/binary.ts';
import { checkFloats, checkTensors } from '../../../tensor/ops/operands.ts';
import { slice } from '../../../tensor/ops/parts.ts';
import { reshape } from '../../../tensor/ops/reshape.ts';
import { indexSelect } from '../../../tensor/ops/select.ts';
import type { Random } from '../../dataset/random.ts';

/** Row b of a batch of B becomes ratio[b] of itself and 1 - ratio[b] of row partner[b] of R >= B rows. */
export interface RowMix {
  /** i32 [B]: a row of the R; the row itself where it is not mixed. */
  readonly partner: Tensor;
  /** f32 [B], 0 to 1; 1 where the row is not mixed. */
  readonly ratio: Tensor;
}

/** How the share of the row itself is drawn: Beta(alpha, alpha), or always the same. */
export type RatioPolicy = { readonly alpha: number } | { readonly fixed: number };

/** A share in [0, 1]. Throws a RangeError unless alpha is above 0, or a fixed share is one. */
export function drawRatio(policy: RatioPolicy, random: Random): number {
  if ('fixed' in policy) {
    const { fixed } = policy;
    if (!(fixed >= 0 && fixed <= 1))
      throw new RangeError(`a mixing ratio is a number of 0 to 1, got ${fixed}`);
    return fixed;
  }
  const { alpha } = policy;
  if (!(alpha > 0 && alpha < Infinity))
    throw new RangeError(`mixup draws from Beta(alpha, alpha) with alpha above 0, got ${alpha}`);
  return new Generator(Math.floor(random() * 2 ** 32)).beta(alpha, alpha);
}

/**
 * The first B rows of x f32 [R, ...] mixed with their partners: [B, ...], with a gradient to all rows that take part. Throws a RangeError
 * that names the shapes where they do not fit.
 */
export function mixRows(x: Tensor, mix: RowMix): Tensor {
  checkFloats('mixRows', { x });
  const [rows = 0, ...rest] = x.shape;
  const count = checkMix('mixRows', mix, x.recorder, rows);
  const own = count === rows ? x : slice(x, 0, { start: 0, end: count });
  const share = reshape(mix.ratio, [count, ...rest.map(() => 1)]);
  return add(mul(own, share), mul(indexSelect(x, 0, mix.partner), sub(1, share)));
}

/** Gives the number of mixed rows. Throws a TypeError or a RangeError where the mix does not fit `rows` rows. */
export function checkMix(what: string, { partner, ratio }: RowMix, recorder: Recorder, rows: number): number {
  checkTensors(what, { partner, ratio });
  const [count = 0] = partner.shape;
  if (partner.dtype !== 'i32' || partner.shape.length !== 1 || count > rows) {
    throw new RangeError(
      `${what} takes partners of i32 [B] with B at most ${rows}, the rows there are, got ${partner.dtype} ${formatShape(partner.shape)}`,
    );
  }
  if (ratio.dtype !== 'f32' || ratio.shape.length !== 1 || ratio.shape[0] !== count) {
    throw new RangeError(
      `${what} takes ratios of f32 [${formatValue(count)}], as many as partners, got ${ratio.dtype} ${formatShape(ratio.shape)}`,
    );
  }
  recorder.requireRange(partner, rows, `${what}: partner`);
  return count;
}
