import { checkOptions, fraction, number, required, type OptionKinds } from '../../../tensor/graph/options.ts';
import { SCENES } from '../../dataset/scenes.ts';
import { Fcnn, FCNN_SMALL, type FcnnConfig } from '../../models/fcnn.ts';
import { architecture } from '../architecture.ts';
import { adaptKeras } from '../keras.ts';
import { count, counts } from './options.ts';

type FcnnOptions = Pick<FcnnConfig, 'features' | 'widths' | 'dropout' | 'normMomentum'>;

const OPTIONS: OptionKinds<FcnnOptions> = {
  features: required(count(2)),
  widths: counts({ least: 3, most: 3 }),
  dropout: number('of at least 0 and below 1', (p) => p >= 0 && p < 1),
  normMomentum: fraction,
};

/** Keras' order of the layers with `block3Convs` convolutions in block 3; the last two norms have no gamma and beta. */
function layers(block3Convs: number) {
  const stages = [2, 2, block3Convs, 1].flatMap((count, block) =>
    Array.from({ length: count }, (_, i) => ({ block: `block${block + 1}`, number: i + 1 })),
  );
  return {
    conv2d: stages.map(({ block, number }) => `${block}.conv${number}`),
    batch_normalization: [
      'norm0',
      ...stages.map(({ block, number }) => `${block}.norm${number}`),
      'norm_out',
    ],
    dense: ['attention.fc1', 'attention.fc2'],
  };
}

/** The published nets end in the pooled map of their classes, so the embeddings are the logits and there is no head. */
const shared = {
  input: { kind: 'sound', input: 'logmel' },
  classifier: (config: FcnnConfig, classes: number) => new Fcnn({ ...config, features: classes }),
  extractor: (config: FcnnConfig) => new Fcnn(config),
  head: [],
} as const;

/** As published, or with `features` (512 are the paper's), `widths`, `dropout` and `normMomentum`. */
export const fcnn = architecture<FcnnConfig>({
  name: 'fcnn',
  config: { features: SCENES.length },
  read: (options, where) => checkOptions(where, options as FcnnOptions, OPTIONS),
  classes: SCENES.length,
  ...shared,
  adapt: adaptKeras({ numbered: layers(4) }),
});

export const fcnnSmall = architecture<FcnnConfig>({
  name: 'fcnn_small',
  config: FCNN_SMALL,
  classes: FCNN_SMALL.features,
  ...shared,
  adapt: adaptKeras({ numbered: layers(2) }),
});
