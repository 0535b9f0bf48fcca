import { RESNEST50, ResNest, ResNestExtractor } from '../../models/resnest.ts';
import { architecture } from '../architecture.ts';
import { adaptTorchvision } from '../torchvision.ts';
import { IMAGENET, IMAGENET_INPUT } from './pictures.ts';

export const resnest50 = architecture({
  name: 'resnest50',
  config: RESNEST50,
  input: IMAGENET_INPUT,
  classes: IMAGENET,
  classifier: (config, classes) => new ResNest(config, classes),
  extractor: (config) => new ResNestExtractor(config),
  head: ['fc.weight', 'fc.bias'],
  adapt: adaptTorchvision,
});
