// The inputs that nets take from one second of a clip, by name.

import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from './logmel.ts';

/** Shape of each input made of one second of sound, f32. */
export const SOUND_INPUTS = {
  /** Log-mel, deltas and delta-deltas of two channels: the paper's features. */
  logmel: [FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND],
  /** The samples themselves, in [-1, 1]. */
  waveform: [2, 48_000],
  /** OpenL3's mel256 spectrogram of the mean of both channels, in dB relative to its maximum. */
  openl3: [1, 256, 199],
} as const;

/**
 * Names of the sound's inputs.
 * @useDeclaredType
 */
export type SoundInputName = keyof typeof SOUND_INPUTS;

/** `frames` are RGB bytes [2, 3, S, S]: the 1st and the 15th frame of the second. */
export type InputName = SoundInputName | 'frames';
