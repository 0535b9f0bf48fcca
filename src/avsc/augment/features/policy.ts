// SpecAugment and channel confusion as the group of the paper publishes them: what is drawn for a row of a batch.

import { FEATURE_WORDS } from '../../../kernels/features.ts';
import type { Random } from '../../dataset/random.ts';

export interface FeaturePolicy {
  /**
   * SpecAugment (Park et al. 2019) without its time warp: in each channel one band of mels and one span of times is set to 0. `mask` is
   * the share of the dimension that a band has at most.
   */
  readonly specAugment: { readonly mask: number } | null;
  /** Probability that the left and the right channel change places: [L, R, dL, dR, ...] becomes [R, L, dR, dL, ...]. */
  readonly channelConfusion: number;
}

/** The paper's. */
export const PAPER_FEATURES: FeaturePolicy = { specAugment: { mask: 0.1 }, channelConfusion: 0.5 };

/** [channels, mels, times] of a sample. */
export type FeatureShape = readonly [channels: number, mels: number, times: number];

/**
 * What happens to one sample of features, i32 [channels, FEATURE_WORDS] for `augmentFeatures`. A mask has 0 to floor(mask * size) elements,
 * each width and then each place alike. Channels are confused first, so a mask is that of the channel that the net sees. Throws a
 * RangeError for a policy that cannot be, or confusion of an odd number of channels.
 */
export function drawFeatureRow(
  policy: FeaturePolicy,
  [channels, mels, times]: FeatureShape,
  random: Random,
): Int32Array<ArrayBuffer> {
  checkFeaturePolicy(policy, channels);
  const row = new Int32Array(channels * FEATURE_WORDS);
  const confused = random() < policy.channelConfusion;
  const share = policy.specAugment?.mask ?? 0;
  for (let channel = 0; channel < channels; channel++) {
    const words = [
      confused ? channel ^ 1 : channel,
      ...drawMask(share, mels, random),
      ...drawMask(share, times, random),
    ];
    row.set(words, channel * FEATURE_WORDS);
  }
  return row;
}

/** Start and end of a mask. */
function drawMask(share: number, size: number, random: Random): [start: number, end: number] {
  const width = Math.floor(random() * (Math.floor(share * size) + 1));
  const start = Math.floor(random() * (size - width + 1));
  return [start, start + width];
}

function checkFeaturePolicy({ specAugment, channelConfusion }: FeaturePolicy, channels: number): void {
  const mask = specAugment?.mask ?? 0;
  if (!(mask >= 0 && mask <= 1))
    throw new RangeError(`SpecAugment masks a share of 0 to 1 of a dimension, got ${mask}`);
  if (!(channelConfusion >= 0 && channelConfusion <= 1))
    throw new RangeError(`a probability of channel confusion is a number of 0 to 1, got ${channelConfusion}`);
  if (channelConfusion > 0 && channels % 2 !== 0)
    throw new RangeError(`channel confusion swaps left and right, but there are ${channels} channels`);
}
