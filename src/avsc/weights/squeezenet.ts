/*
 * The Places365 weights of SqueezeNet 1.1 (github.com/urbste/squeezenet_places365), saved by Lasagne:
 *
 *   NAME.W  kernels of a true convolution, so they are flipped in H and W; conv1's take BGR
 *   NAME.b  biases        NAME.gamma, .beta, .mean, .inv_std = 1 / sqrt(variance + eps) of batch norm
 *
 * and the mean picture to subtract, in a file beside the weights, in BGR and 0 to 255.
 */
import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { formatShape, sameShape } from '../../tensor/graph/shape.ts';
import { SQUEEZENET1_1, SQUEEZENET_EPS } from '../models/squeezenet.ts';
import { withoutParallel, type NamedTensors } from './names.ts';
import { computed, computedFrom, viewOf } from './views.ts';

/** The mean picture's file, f64 [3, 256, 256]. */
export const MEAN_IMAGE = 'places365_mean.npy';

const FILE_SIZE = 256;
const SIZE = SQUEEZENET1_1.imageSize;
const FIRST_KERNELS = 'conv1.W';

/** A mean picture of zeros, to import without the file. The net is then slightly less accurate than published. */
export const zeroMeanImage = (): CheckpointTensor => {
  const shape = [3, FILE_SIZE, FILE_SIZE];
  return computed(shape, () => Promise.resolve(new Float32Array(3 * FILE_SIZE * FILE_SIZE)));
};

/** The file's tensors for `SqueezeNet`. Files written by this engine pass unchanged. */
export function adaptSqueezeNet({ tensors }: CheckpointFile, companions: NamedTensors): NamedTensors {
  if (!tensors.has(FIRST_KERNELS)) return withoutParallel(tensors);
  const mean = companions.get(MEAN_IMAGE);
  if (mean === undefined) {
    throw new Error(
      `these weights of squeezenet1_1 need the mean picture ${MEAN_IMAGE}: put it beside them, or choose to go on ` +
        'without it, which changes the probabilities',
    );
  }
  return new Map([['mean_image', meanImage(mean)], ...[...tensors].map(([name, t]) => adaptTensor(name, t))]);
}

function adaptTensor(name: string, tensor: CheckpointTensor): [string, CheckpointTensor] {
  const dot = name.lastIndexOf('.');
  const layer = name.slice(0, dot).replace('squeeze1x1', 'squeeze');
  const [conv, norm] = layer === 'conv10' ? [layer, layer] : [`${layer}.conv`, `${layer}.norm`];
  switch (name.slice(dot + 1)) {
    case 'W': {
      if (tensor.shape.length !== 4) return [`${conv}.weight`, tensor];
      return [`${conv}.weight`, viewOf(tensor, { flip: name === FIRST_KERNELS ? [1, 2, 3] : [2, 3] })];
    }
    case 'b':
      return [`${conv}.bias`, tensor];
    case 'gamma':
      return [`${norm}.weight`, tensor];
    case 'beta':
      return [`${norm}.bias`, tensor];
    case 'mean':
      return [`${norm}.running_mean`, tensor];
    case 'inv_std':
      return [`${norm}.running_var`, computedFrom(tensor, tensor.shape, variances)];
    default:
      return [name, tensor];
  }
}

const variances = (inverse: ArrayLike<number>): Float32Array<ArrayBuffer> =>
  Float32Array.from(inverse, (value) => 1 / value ** 2 - SQUEEZENET_EPS);

/** The centre of the file's picture, converted from BGR to RGB and to 0 to 1. */
function meanImage(file: CheckpointTensor): CheckpointTensor {
  const expected = [3, FILE_SIZE, FILE_SIZE];
  if (!sameShape(file.shape, expected)) {
    throw new Error(`${MEAN_IMAGE} is ${formatShape(file.shape)} and should be ${formatShape(expected)}`);
  }
  const margin = (FILE_SIZE - SIZE) / 2;
  return computedFrom(file, [3, SIZE, SIZE], (values) => {
    const picture = new Float32Array(3 * SIZE * SIZE);
    for (let i = 0; i < picture.length; i++) {
      const [c, y, x] = [Math.floor(i / SIZE ** 2), Math.floor(i / SIZE) % SIZE, i % SIZE];
      const from = ((2 - c) * FILE_SIZE + y + margin) * FILE_SIZE + x + margin;
      picture[i] = (values[from] ?? 0) / 255;
    }
    return picture;
  });
}
