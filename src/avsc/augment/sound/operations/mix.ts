// The sum of two recordings of one class, each with a gain of its own.

import type { Stereo } from '../../../audio/clip.ts';
import { uniform } from '../../../dataset/random.ts';
import { repeatTo, type SoundOperation } from '../operation.ts';

/** gainA * a + gainB * b, as long as `a`: `b` is cut or repeated. The sum may pass full scale and is not clipped. */
export function mixSounds(a: Stereo, b: Stereo, gainA: number, gainB: number): Stereo {
  if (b[0].length === 0) throw new RangeError('cannot mix a sound with an empty one');
  const mixed = (channel: 0 | 1): Float32Array => {
    const other = repeatTo(b[channel], a[channel].length);
    return a[channel].map((sample, i) => gainA * sample + gainB * (other[i] as number));
  };
  return [mixed(0), mixed(1)];
}

/** The sound, begun `samples` later; what comes before follows its end. */
function rotate(sound: Stereo, samples: number): Stereo {
  const turned = (channel: Float32Array): Float32Array => {
    const out = new Float32Array(channel.length);
    out.set(channel.subarray(samples));
    out.set(channel.subarray(0, samples), channel.length - samples);
    return out;
  };
  return [turned(sound[0]), turned(sound[1])];
}

export const mix: SoundOperation = {
  title: 'adds another recording of the same class',
  parameters: [
    { meaning: 'gain of the recording', drawn: [0.5, 1], allowed: [0, 4] },
    { meaning: 'gain of the other', drawn: [0.5, 1], allowed: [0, 4] },
  ],
  takesPartner: true,
  // The only clip of a class has no partner. Its own sound of another time is also of the class and sounds at most alike.
  apply: ({ sound, partner, random }, [gain = 1, otherGain = 1]) => {
    const length = sound[0].length;
    const other = partner ?? rotate(sound, Math.floor(length * uniform(random, 0.25, 0.75)));
    return mixSounds(sound, other, gain, otherGain);
  },
};
