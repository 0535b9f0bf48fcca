import { SQUEEZENET1_1, SqueezeNet, SqueezeNetExtractor } from '../../models/squeezenet.ts';
import { architecture } from '../architecture.ts';
import { adaptSqueezeNet, MEAN_IMAGE } from '../squeezenet.ts';
import { PLACES } from './pictures.ts';

export const squeezenet = architecture({
  name: 'squeezenet1_1',
  config: SQUEEZENET1_1,
  // The net subtracts a mean picture instead, which belongs to its weights.
  input: { kind: 'picture', size: SQUEEZENET1_1.imageSize, mean: [0, 0, 0], std: [1, 1, 1] },
  classes: PLACES,
  classifier: (config, classes) => new SqueezeNet(config, classes),
  extractor: (config) => new SqueezeNetExtractor(config),
  head: ['conv10.weight', 'conv10.bias'],
  adapt: adaptSqueezeNet,
  companions: [MEAN_IMAGE],
});
