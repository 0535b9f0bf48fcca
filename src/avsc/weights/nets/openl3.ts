/*
 * OpenL3's weights (github.com/marl/openl3, branch `models`: openl3_audio_mel256_env.h5, openl3_image_mel256_env.h5), saved by Keras:
 *
 *   batch_normalization_1       norm0, on the input       batch_normalization_2..8   norm1..norm7
 *   conv2d_1..7                 conv1..conv7              audio_embedding_layer or vision_embedding_layer   conv8
 *
 * Their maps are mels x frames, or rows x columns, then channels, so kernels are transposed as Keras' usually are. Files of
 * version 0.3 and before also hold the spectrogram's kernels.
 */
import { SCENES } from '../../dataset/scenes.ts';
import {
  OPENL3_AUDIO,
  OPENL3_IMAGE,
  OpenL3,
  OpenL3Extractor,
  type OpenL3Config,
} from '../../models/openl3.ts';
import { architecture } from '../architecture.ts';
import { adaptKeras } from '../keras.ts';

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

const adapt = (embeddingLayer: string) =>
  adaptKeras({
    numbered: {
      conv2d: numbers(1, 7).map((i) => `conv${i}`),
      batch_normalization: numbers(0, 7).map((i) => `norm${i}`),
    },
    named: { [embeddingLayer]: 'conv8' },
  });

/** The published nets have no classes; a `fc` is ours. */
const shared = {
  classes: SCENES.length,
  classifier: (config: OpenL3Config, classes: number) => new OpenL3(config, classes),
  extractor: (config: OpenL3Config) => new OpenL3Extractor(config),
  head: ['fc.weight', 'fc.bias'],
};

export const openL3Audio = architecture({
  name: 'openl3_audio',
  config: OPENL3_AUDIO,
  input: { kind: 'sound', input: 'openl3' },
  ...shared,
  leftOut: /(?:^|\/)(?:mel)?spectrogram\w*\/\w+$/,
  adapt: adapt('audio_embedding_layer'),
});

/** Pictures in [-1, 1]. */
export const openL3Image = architecture({
  name: 'openl3_image',
  config: OPENL3_IMAGE,
  input: { kind: 'picture', size: 224, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  ...shared,
  adapt: adapt('vision_embedding_layer'),
});
