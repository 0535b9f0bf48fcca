import { checkOptions, required, type OptionKinds } from '../../../tensor/graph/options.ts';
import {
  DENSENET121,
  DENSENET161,
  DenseNet,
  DenseNetExtractor,
  type DenseNetConfig,
} from '../../models/densenet.ts';
import { architecture } from '../architecture.ts';
import { adaptDenseNet } from '../torchvision.ts';
import { IMAGENET, IMAGENET_INPUT, PLACES } from './pictures.ts';
import { count, counts } from './options.ts';

const OPTIONS: OptionKinds<DenseNetConfig> = {
  growthRate: required(count(1)),
  blocks: required(counts({ most: 8 })),
  stem: required(count(1)),
};

const shared = {
  input: IMAGENET_INPUT,
  classifier: (config: DenseNetConfig, classes: number) => new DenseNet(config, classes),
  extractor: (config: DenseNetConfig) => new DenseNetExtractor(config),
  head: ['classifier.weight', 'classifier.bias'],
  adapt: adaptDenseNet,
};

export const densenet161 = architecture({
  name: 'densenet161',
  config: DENSENET161,
  classes: PLACES,
  ...shared,
});

/** Of any size: DenseNet121, or `growthRate`, `blocks` and `stem`. */
export const densenet = architecture({
  name: 'densenet',
  config: DENSENET121,
  read: (options, where) => checkOptions(where, options as DenseNetConfig, OPTIONS),
  classes: IMAGENET,
  ...shared,
});
