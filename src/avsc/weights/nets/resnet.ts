import { SCENES } from '../../dataset/scenes.ts';
import {
  RESNET18,
  RESNET50,
  RESNET50_AUDIO,
  RESNET50_BOTTOM,
  ResNet,
  ResNetExtractor,
  type ResNetConfig,
} from '../../models/resnet.ts';
import { architecture } from '../architecture.ts';
import { adaptTorchvision } from '../torchvision.ts';
import { IMAGENET_INPUT, PLACES } from './pictures.ts';

const shared = {
  input: IMAGENET_INPUT,
  classes: PLACES,
  classifier: (config: ResNetConfig, classes: number) => new ResNet(config, classes),
  extractor: (config: ResNetConfig) => new ResNetExtractor(config),
  head: ['fc.weight', 'fc.bias'],
  adapt: adaptTorchvision,
};

export const resnet18 = architecture({ name: 'resnet18', config: RESNET18, ...shared });

export const resnet50 = architecture({ name: 'resnet50', config: RESNET50, ...shared });

/** Takes the weights of resnet50. */
export const resnet50Bottom = architecture({
  name: 'resnet50_bottom',
  config: RESNET50_BOTTOM,
  ...shared,
  leftOut: /^layer4\./,
});

/** No weights are published. */
export const resnet50Audio = architecture({
  name: 'resnet50_audio',
  config: RESNET50_AUDIO,
  ...shared,
  input: { kind: 'sound', input: 'logmel' },
  classes: SCENES.length,
});
