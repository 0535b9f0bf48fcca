// Gaussian noise on every sample that is not zero, so that digital silence stays silent.

import type { Stereo } from '../../../audio/clip.ts';
import type { Random } from '../../../dataset/random.ts';
import type { SoundOperation } from '../operation.ts';

/** Standard deviation of the noise of the authors' earlier code; full scale is 1. */
const DEVIATION = 0.01;

/** Adds `deviation` * N(0, 1) to each sample that is not 0, left and right by themselves. */
export function addNoise(sound: Stereo, random: Random, deviation = DEVIATION): Stereo {
  const [left, right] = [new Float32Array(sound[0].length), new Float32Array(sound[1].length)];
  for (const [channel, out] of [
    [sound[0], left],
    [sound[1], right],
  ] as const) {
    for (let i = 0; i < out.length; i += 2) {
      // Box and Muller: two normal numbers from two uniform ones. 1 - random() is never 0.
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
      const angle = 2 * Math.PI * random();
      out[i] = noisy(channel[i] as number, radius * Math.cos(angle));
      // A write past the end of an odd length is without effect.
      out[i + 1] = noisy(channel[i + 1] as number, radius * Math.sin(angle));
    }
  }
  return [left, right];
}

function noisy(sample: number, noise: number): number {
  return sample === 0 ? 0 : sample + noise;
}

export const noise: SoundOperation = {
  title: 'adds Gaussian noise where the sample is not zero',
  parameters: [
    { meaning: 'standard deviation, full scale is 1', drawn: [DEVIATION, DEVIATION], allowed: [0, 1] },
  ],
  takesPartner: false,
  apply: ({ sound, random }, [deviation]) => addNoise(sound, random, deviation),
};
