import type { StateDict } from '../../nn/state.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { softmax } from '../../tensor/ops/softmax.ts';
import { normalisePictures } from '../features/pictures.ts';
import type { Architecture } from './architecture.ts';

/**
 * Probabilities [classes] of each picture (RGB bytes [3, S, S], with the architecture's S) by imported weights, whose head
 * gives the number of classes. Throws a RangeError if a picture has another size or the weights do not fit, and a
 * TypeError if the architecture takes sound.
 */
export async function classifyPictures(
  device: Device,
  architecture: Architecture,
  weights: StateDict,
  pictures: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const { input, name, head } = architecture;
  if (input.kind !== 'picture') throw new TypeError(`${name} takes sound, not pictures`);
  const { size } = input;
  const bytes = 3 * size * size;
  const odd = pictures.find(({ length }) => length !== bytes);
  if (odd !== undefined) {
    throw new RangeError(`a picture has ${odd.length} bytes, 3 x ${size} x ${size} are needed`);
  }
  const classes = weights.get(head[0] ?? '')?.shape[0] ?? architecture.classes;
  const net = architecture.createClassifier(classes);
  net.loadStateDict(weights);
  net.to(device).eval();
  const run = device.compile((x) => noGrad(() => softmax(net.forward(x), 1)));
  try {
    const results: Float32Array[] = [];
    for (const picture of pictures) {
      const data = new Float32Array(bytes);
      normalisePictures(picture, size, input, data);
      const probabilities = await (await run({ data, shape: [1, 3, size, size] })).data();
      results.push(Float32Array.from(probabilities));
    }
    return results;
  } finally {
    run.dispose();
    net.dispose();
  }
}
