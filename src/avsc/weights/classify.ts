import type { StateDict } from '../../nn/state.ts';
import { noGrad } from '../../tensor/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { softmax } from '../../tensor/ops/softmax.ts';
import type { Architecture, PictureInput } from './architecture.ts';

/**
 * Probabilities [classes] of each picture, RGB bytes [3, S, S] with the architecture's S, by imported weights (with their
 * head, which says how many classes there are). Throws a RangeError if a picture has another size or the weights do not fit,
 * and a TypeError if the architecture hears instead.
 */
export async function classifyPictures(
  device: Device,
  architecture: Architecture,
  weights: StateDict,
  pictures: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const { input, name, head } = architecture;
  if (input.kind !== 'picture') throw new TypeError(`${name} takes sound, not pictures`);
  const classes = weights.get(head[0] ?? '')?.shape[0] ?? architecture.classes;
  const net = architecture.createClassifier(classes);
  net.loadStateDict(weights);
  net.to(device).eval();
  const run = device.compile((x) => noGrad(() => softmax(net.forward(x), 1)));
  try {
    const results: Float32Array[] = [];
    for (const picture of pictures) {
      const shape = [1, 3, input.size, input.size];
      const probabilities = await (await run({ data: normalise(picture, input), shape })).data();
      results.push(Float32Array.from(probabilities));
    }
    return results;
  } finally {
    run.dispose();
    net.dispose();
  }
}

/** (x / 255 - mean) / std of RGB bytes [3, size, size]. Throws a RangeError if there are more or fewer of them. */
function normalise(picture: Uint8Array, { size, mean, std }: PictureInput): Float32Array<ArrayBuffer> {
  const area = size * size;
  if (picture.length !== 3 * area) {
    throw new RangeError(`a picture has ${picture.length} bytes, 3 x ${size} x ${size} are needed`);
  }
  const channels = mean.map((value, c) => ({ value, spread: std[c] ?? 1 }));
  const result = new Float32Array(3 * area);
  channels.forEach(({ value, spread }, c) => {
    for (let i = c * area; i < (c + 1) * area; i++) result[i] = ((picture[i] ?? 0) / 255 - value) / spread;
  });
  return result;
}
