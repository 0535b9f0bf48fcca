import { DENSENET161, DenseNet, DenseNetExtractor } from '../models/densenet.ts';
import { FEATURE_CHANNELS } from '../features/logmel.ts';
import type { PictureInput } from '../features/pictures.ts';
import { Fcnn, FCNN_SMALL, type FcnnConfig } from '../models/fcnn.ts';
import { RESNEST50, ResNest, ResNestExtractor } from '../models/resnest.ts';
import { RESNET18, RESNET50, ResNet, ResNetExtractor } from '../models/resnet.ts';
import { SQUEEZENET1_1, SqueezeNet, SqueezeNetExtractor } from '../models/squeezenet.ts';
import { ARCHITECTURE_NAMES, type Architecture, type ArchitectureName } from './architecture.ts';
import { adaptFcnn } from './keras-fcnn.ts';
import { adaptSqueezeNet, MEAN_IMAGE } from './squeezenet.ts';
import { adaptDenseNet, adaptTorchvision } from './torchvision.ts';

/** Classes of Places365 and of ImageNet. */
const PLACES = 365;
const IMAGENET = 1000;

/** Preprocessing of torchvision's and Places365's weights: ImageNet's mean and standard deviation of each channel. */
export const IMAGENET_INPUT: PictureInput = {
  kind: 'picture',
  size: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** The SqueezeNet subtracts a mean picture instead, which belongs to its weights. */
const PLAIN_INPUT: PictureInput = {
  kind: 'picture',
  size: SQUEEZENET1_1.imageSize,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** The published FCNNs end in the pooled map of their classes, so the embeddings are the logits. */
const published = (name: 'fcnn' | 'fcnn_small', config: FcnnConfig, block3Convs: number): Architecture => ({
  name,
  input: { kind: 'sound', channels: FEATURE_CHANNELS },
  classes: config.features,
  createClassifier: (classes) => new Fcnn({ ...config, features: classes }),
  createExtractor: () => new Fcnn(config),
  head: [],
  adapt: adaptFcnn(block3Convs),
  companions: [],
});

const FC = ['fc.weight', 'fc.bias'];

export const ARCHITECTURES: Readonly<Record<ArchitectureName, Architecture>> = {
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
  resnet18: {
    name: 'resnet18',
    input: IMAGENET_INPUT,
    classes: PLACES,
    createClassifier: (classes) => new ResNet(RESNET18, classes),
    createExtractor: () => new ResNetExtractor(RESNET18),
    head: FC,
    adapt: adaptTorchvision,
    companions: [],
  },
  resnet50: {
    name: 'resnet50',
    input: IMAGENET_INPUT,
    classes: PLACES,
    createClassifier: (classes) => new ResNet(RESNET50, classes),
    createExtractor: () => new ResNetExtractor(RESNET50),
    head: FC,
    adapt: adaptTorchvision,
    companions: [],
  },
  resnest50: {
    name: 'resnest50',
    input: IMAGENET_INPUT,
    classes: IMAGENET,
    createClassifier: (classes) => new ResNest(RESNEST50, classes),
    createExtractor: () => new ResNestExtractor(RESNEST50),
    head: FC,
    adapt: adaptTorchvision,
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
  fcnn: published('fcnn', { features: 10 }, 4),
  fcnn_small: published('fcnn_small', FCNN_SMALL, 2),
};

/** The architecture of this name. Throws an Error that lists the names if there is none. */
export function findArchitecture(name: string): Architecture {
  const found = ARCHITECTURE_NAMES.find((known) => known === name);
  if (found !== undefined) return ARCHITECTURES[found];
  throw new Error(`there is no architecture ${name}: choose one of ${ARCHITECTURE_NAMES.join(', ')}`);
}
