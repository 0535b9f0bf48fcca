// Made scenes: sound and pictures that are computed, like those that the model of the site was trained on.

import {
  encodeWav,
  makeCamera,
  makeSound,
  SAMPLE_RATE,
  SCENE_RULES,
  type Scene,
  type SceneInput,
} from 'wavelight/avsc';
import { SECOND_PICTURE, type Recording } from './recording.ts';

const SECONDS = 10;
/** Side of the pictures, as in the data set that `wavelight train` makes. */
const SIDE = 96;

/** A made recording of a scene at a place that no training has seen: `key` says which. */
export function makeRecording(scene: Scene, key: string): Recording {
  const { sound: soundFamily, picture } = SCENE_RULES[scene];
  const location = `page ${key}`;
  const [left, right] = makeSound(soundFamily, location, key, SECONDS);
  const camera = makeCamera(picture, location, key, SIDE);
  const pictureAt = (time: number): ImageData => {
    const image = new ImageData(SIDE, SIDE);
    camera(time, new Uint8Array(image.data.buffer));
    return image;
  };
  const secondOf = (channel: Float32Array, second: number): Float32Array =>
    channel.slice(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE);
  return {
    name: `made ${scene.replaceAll('_', ' ')}`,
    seconds: SECONDS,
    hasPictures: false,
    media: new Blob([encodeWav([left, right], SAMPLE_RATE, 16)], { type: 'audio/wav' }),
    input: (second): Promise<SceneInput> =>
      Promise.resolve({
        audio: [secondOf(left, second), secondOf(right, second)],
        sampleRate: SAMPLE_RATE,
        images: [pictureAt(second), pictureAt(second + SECOND_PICTURE)],
      }),
    close: () => undefined,
  };
}
