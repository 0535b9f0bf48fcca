// What the kernel of src/kernels/features.ts does to one row, on the host: for pictures of features, and to check the kernel.

import { FEATURE_WORDS } from '../../../kernels/features.ts';
import type { FeatureShape } from './policy.ts';

/** Features [channels, mels, times] after channel confusion and masks. `row` is that of `drawFeatureRow`. */
export function augmentRow(
  features: Float32Array,
  row: Int32Array,
  [channels, mels, times]: FeatureShape,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: channels * mels * times }, (_, i) => {
    const [channel, mel, time] = [Math.floor(i / mels / times), Math.floor(i / times) % mels, i % times];
    const [from = 0, mel0 = 0, mel1 = 0, time0 = 0, time1 = 0] = row.subarray(channel * FEATURE_WORDS);
    const masked = (mel >= mel0 && mel < mel1) || (time >= time0 && time < time1);
    return masked ? 0 : (features[(from * mels + mel) * times + time] ?? Number.NaN);
  });
}
