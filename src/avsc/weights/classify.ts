import type { StateDict } from '../../nn/state.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { softmax } from '../../tensor/ops/softmax.ts';
import { normalisePictures } from '../features/pictures.ts';
import type { Architecture } from './architecture.ts';

/** A net with imported weights on a device. `dispose` it after the last picture. */
export interface PictureClassifier {
  /** Probabilities [classes] of a picture: RGB bytes [3, S, S], with the architecture's S. Throws a RangeError for another size. */
  classify(picture: Uint8Array): Promise<Float32Array>;
  dispose(): void;
}

/**
 * Loads imported weights, whose head gives the number of classes. Throws a RangeError if they do not fit, and a TypeError if the
 * architecture takes sound.
 */
export function pictureClassifier(
  device: Device,
  architecture: Architecture,
  weights: StateDict,
): PictureClassifier {
  const { input, name, head } = architecture;
  if (input.kind !== 'picture') throw new TypeError(`${name} takes sound, not pictures`);
  const { size } = input;
  const bytes = 3 * size * size;
  const classes = weights.get(head[0] ?? '')?.shape[0] ?? architecture.classes;
  const net = architecture.createClassifier(classes);
  net.loadStateDict(weights);
  net.to(device).eval();
  const run = device.compile((x) => noGrad(() => softmax(net.forward(x), 1)));
  return {
    classify: async (picture) => {
      if (picture.length !== bytes)
        throw new RangeError(`a picture has ${picture.length} bytes, 3 x ${size} x ${size} are needed`);
      const data = new Float32Array(bytes);
      normalisePictures(picture, size, input, data);
      return Float32Array.from(await (await run({ data, shape: [1, 3, size, size] })).data());
    },
    dispose: () => {
      run.dispose();
      net.dispose();
    },
  };
}

/** Probabilities [classes] of each picture, as a `pictureClassifier` gives them. Throws as it does. */
export async function classifyPictures(
  device: Device,
  architecture: Architecture,
  weights: StateDict,
  pictures: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const classifier = pictureClassifier(device, architecture, weights);
  try {
    const results: Float32Array[] = [];
    for (const picture of pictures) results.push(await classifier.classify(picture));
    return results;
  } finally {
    classifier.dispose();
  }
}
