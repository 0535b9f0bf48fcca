/*
 * Weights under torchvision's names, which the nets here use too. Places365's were saved from DataParallel ("module.") and,
 * for DenseNet, before torchvision removed the dots from its layers' names (denselayer1.norm.1).
 */
import type { CheckpointFile } from '../../nn/checkpoint/checkpoint.ts';
import { renamed, withoutParallel, type NamedTensors } from './names.ts';

export const adaptTorchvision = ({ tensors }: CheckpointFile): NamedTensors => withoutParallel(tensors);

const OLD_LAYER = /(\.denselayer\d+\.(?:norm|conv))\.([12]\.)/;

export const adaptDenseNet = (file: CheckpointFile): NamedTensors =>
  renamed(adaptTorchvision(file), (name) => name.replace(OLD_LAYER, '$1$2'));
