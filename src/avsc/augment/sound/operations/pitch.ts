// Pitch shift, as `librosa.effects.pitch_shift` does it: stretch in time, then play faster or slower.

import type { Stereo } from '../../../audio/clip.ts';
import { resampleStereo } from '../../../audio/resample.ts';
import { timeStretch } from '../phase-vocoder.ts';
import type { SoundOperation } from '../operation.ts';

const MAX_SEMITONES = 24;

/**
 * Shifts the pitch of a sound by `semitones` (12 are an octave) and keeps its length.
 * Throws a RangeError if they are not within -24 .. 24, or if the sound is empty or its channels differ in length.
 */
export function pitchShift(sound: Stereo, semitones: number): Stereo {
  if (!(Math.abs(semitones) <= MAX_SEMITONES)) {
    throw new RangeError(
      `cannot shift the pitch by ${semitones} semitones: it must lie within -${MAX_SEMITONES} and ${MAX_SEMITONES}`,
    );
  }
  const rate = 2 ** (-semitones / 12);
  return resampleStereo(timeStretch(sound, rate), 1 / rate, 1, sound[0].length);
}

export const pitch: SoundOperation = {
  title: 'shifts the pitch, the length stays',
  parameters: [{ meaning: 'semitones', drawn: [-4, 4], allowed: [-MAX_SEMITONES, MAX_SEMITONES] }],
  takesPartner: false,
  apply: ({ sound }, [semitones = 0]) => pitchShift(sound, semitones),
};
