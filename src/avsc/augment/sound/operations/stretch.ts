// Change of speed: the pitch stays, and the result is cut or repeated to the length of the original.

import { MAX_RATE, timeStretch } from '../phase-vocoder.ts';
import { repeatTo, type SoundOperation } from '../operation.ts';

export const stretch: SoundOperation = {
  title: 'plays faster or slower at the same pitch, cut or repeated to the original length',
  parameters: [{ meaning: 'rate, 2 is twice as fast', drawn: [0.5, 2], allowed: [1 / MAX_RATE, MAX_RATE] }],
  takesPartner: false,
  apply: ({ sound }, [rate = 1]) => {
    const [left, right] = timeStretch(sound, rate);
    const fitted = repeatTo(left, sound[0].length);
    return [fitted, right === left ? fitted : repeatTo(right, sound[0].length)];
  },
};
