import type { PictureInput } from '../../features/pictures.ts';

/** Classes of the published weights of picture nets. */
export const PLACES = 365;
export const IMAGENET = 1000;

/** Preprocessing of torchvision's and Places365's weights: ImageNet's mean and standard deviation of each channel. */
export const IMAGENET_INPUT: PictureInput = {
  kind: 'picture',
  size: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
