import { SCENES } from '../../dataset/scenes.ts';
import { CNN1D, Cnn1d, Cnn1dExtractor } from '../../models/cnn1d.ts';
import { architecture } from '../architecture.ts';
import { adaptTorchvision } from '../torchvision.ts';

/** No weights are published. */
export const cnn1d = architecture({
  name: 'cnn1d',
  config: CNN1D,
  input: { kind: 'sound', input: 'waveform' },
  classes: SCENES.length,
  classifier: (config, classes) => new Cnn1d(config, classes),
  extractor: (config) => new Cnn1dExtractor(config),
  head: ['fc.weight', 'fc.bias'],
  adapt: adaptTorchvision,
});
