// The input of OpenL3's audio net (mel256): a mel spectrogram of the mean of both channels, in dB below its maximum.

import { SAMPLE_RATE, type Stereo } from '../audio/clip.ts';
import { melEnergy, melFilterBank, type MelFilter } from './mel.ts';
import { PowerSpectrogram } from './stft.ts';

const FFT_SIZE = 2048;
const HOP = 242;
const MELS = 256;
/** Amplitudes below count as this one. */
const FLOOR = 1e-10;
const RANGE_DB = 80;

/**
 * Computes OpenL3's spectrogram, keeping window, FFT, filters and scratch between calls.
 *
 * As the net's own front end (openl3 0.4, after kapre 0.1.4): STFT of 2048 samples every 242, periodic Hann, frames centered on
 * multiples of 242, zeros beyond the ends; magnitude, not power; 256 Slaney mel bands of 0..24 kHz with area 1; 10 log10 of it (so 10 dB
 * are a factor of 10 in amplitude), less its maximum, at least -80 dB. 48,000 samples have 1 + floor(48000 / 242) = 199 frames.
 */
export class OpenL3Extractor {
  readonly #spectrogram = new PowerSpectrogram(FFT_SIZE, HOP, 'zeros');
  readonly #filters: readonly MelFilter[] = melFilterBank(MELS, FFT_SIZE, SAMPLE_RATE, 'slaney');
  readonly #spectrum = new Float64Array(this.#spectrogram.bins);
  readonly #mean = new Float64Array(SAMPLE_RATE);
  readonly #decibels = new Float64Array(MELS * this.#spectrogram.frames(SAMPLE_RATE));

  /** Writes [1, 256, 199] of one second of sound into `out`, in dB from -80 to 0. Silence gives zeros. */
  extract([left, right]: Stereo, out: Float32Array): void {
    const mean = this.#mean;
    for (let i = 0; i < SAMPLE_RATE; i++) mean[i] = ((left[i] as number) + (right[i] as number)) / 2;
    const frames = this.#spectrogram.frames(SAMPLE_RATE);
    const spectrum = this.#spectrum;
    const decibels = this.#decibels;
    let loudest = -Infinity;
    for (let t = 0; t < frames; t++) {
      this.#spectrogram.frame(mean, t, spectrum);
      for (let k = 0; k < spectrum.length; k++) spectrum[k] = Math.sqrt(spectrum[k] as number);
      for (let mel = 0; mel < MELS; mel++) {
        const db = 10 * Math.log10(Math.max(melEnergy(this.#filters[mel] as MelFilter, spectrum), FLOOR));
        decibels[mel * frames + t] = db;
        if (db > loudest) loudest = db;
      }
    }
    for (let i = 0; i < decibels.length; i++) out[i] = Math.max((decibels[i] as number) - loudest, -RANGE_DB);
  }
}
