import { DENSENET161, DenseNet, DenseNetExtractor } from '../models/densenet.ts';
import { SQUEEZENET1_1, SqueezeNet, SqueezeNetExtractor } from '../models/squeezenet.ts';
import {
  ARCHITECTURE_NAMES,
  type Architecture,
  type ArchitectureName,
  type PictureInput,
} from './architecture.ts';
import { adaptSqueezeNet, MEAN_IMAGE } from './squeezenet.ts';
import { adaptDenseNet } from './torchvision.ts';

/** Classes of Places365. */
const PLACES = 365;

/** What torchvision's and Places365's weights were trained behind: ImageNet's mean and spread of each channel. */
export const IMAGENET_INPUT: PictureInput = {
  kind: 'picture',
  size: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** The SqueezeNet subtracts a whole picture instead, which belongs to its weights. */
const PLAIN_INPUT: PictureInput = {
  kind: 'picture',
  size: SQUEEZENET1_1.imageSize,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

export const ARCHITECTURES: Partial<Readonly<Record<ArchitectureName, Architecture>>> = {
  densenet161: {
    name: 'densenet161',
    input: IMAGENET_INPUT,
    classes: PLACES,
    createClassifier: (classes) => new DenseNet(DENSENET161, classes),
    createExtractor: () => new DenseNetExtractor(DENSENET161),
    head: ['classifier.weight', 'classifier.bias'],
    adapt: adaptDenseNet,
    companions: [],
  },
  squeezenet1_1: {
    name: 'squeezenet1_1',
    input: PLAIN_INPUT,
    classes: PLACES,
    createClassifier: (classes) => new SqueezeNet(SQUEEZENET1_1, classes),
    createExtractor: () => new SqueezeNetExtractor(SQUEEZENET1_1),
    head: ['conv10.weight', 'conv10.bias'],
    adapt: adaptSqueezeNet,
    companions: [MEAN_IMAGE],
  },
};

/** Throws an Error that lists the names if there is none of this one. */
export function findArchitecture(name: string): Architecture {
  const found = ARCHITECTURE_NAMES.find((known) => known === name);
  const architecture = found && ARCHITECTURES[found];
  if (architecture) return architecture;
  throw new Error(`there is no architecture ${name}: choose one of ${ARCHITECTURE_NAMES.join(', ')}`);
}
