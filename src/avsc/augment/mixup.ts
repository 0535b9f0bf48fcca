// Which samples of an epoch are mixed, with whom, and by which ratio: decided by the sample and its position in the epoch's order.

import { drawRatio, type RatioPolicy } from './features/mix.ts';
import { randomStream } from '../dataset/random.ts';

export interface Mixup {
  /** Share of the samples that are mixed, 0..1. */
  readonly share: number;
  readonly ratio: RatioPolicy;
}

export interface SampleMix {
  /** Index of the partner among all samples. */
  readonly partner: number;
  /** Share of the sample itself, 0..1. */
  readonly ratio: number;
}

/** Rows for partners that a batch of `batchSize` samples needs at most. */
export function partnerRows(batchSize: number, share: number): number {
  return share === 0 ? 0 : Math.min(batchSize, Math.ceil(batchSize * share) + 1);
}

/**
 * The mix of the sample with this key at this position of the epoch's order, or null if it is not mixed. Of the first n positions, floor(n *
 * share) are mixed. The partner is any of `count` samples. Neither the batch size nor the step at which a run resumes plays a part.
 */
export function drawMix(
  { share, ratio }: Mixup,
  position: number,
  seed: number,
  epoch: number,
  key: number,
  count: number,
): SampleMix | null {
  if (Math.floor((position + 1) * share) === Math.floor(position * share)) return null;
  const random = randomStream(seed, epoch, key, 'mixup');
  const partner = Math.floor(random() * count);
  return { partner, ratio: drawRatio(ratio, random) };
}
