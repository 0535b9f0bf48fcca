// The audio net's input: scaled log-mel features of two channels with deltas and delta-deltas.

import { SAMPLE_RATE, secondsOf, type Stereo } from '../audio/clip.ts';
import { delta, DELTA_LOSS } from './deltas.ts';
import { melEnergy, melFilterBank, type MelFilter } from './mel.ts';
import { PowerSpectrogram } from './stft.ts';

const FFT_SIZE = 2048;
const HOP = 1024;
const LOG_FLOOR = 1e-8;

/** Mel bands of the features. */
export const MELS = 128;
/** Left, right, their deltas, their delta-deltas: [L, R, dL, dR, ddL, ddR]. */
export const FEATURE_CHANNELS = 6;
/** Frames of the features of one second. */
export const FRAMES_PER_SECOND = 39;

/** Features in NCHW order without the N: `data[(channel * 128 + mel) * frames + frame]`. */
export interface LogMelFeatures {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly [channels: 6, mels: 128, frames: number];
}

/** The smallest and the largest log-mel value of both channels of a recording. */
export interface LogMelRange {
  readonly min: number;
  readonly max: number;
}

/** Range that is scaled to [0, 1]: of each 1-second sample, or of the whole clip that it was cut from. */
export type Scaling = 'sample' | 'clip';

/**
 * Computes features, keeping window, FFT, filters and scratch between calls.
 * Per channel: STFT 2048 / 1024, periodic Hann, centred, reflect padding; power; 128 HTK mel bands of 0..24 kHz;
 * ln(x + 1e-8). Then min-max scaling over both channels, deltas without padding, everything cropped to one length.
 */
export class LogMelExtractor {
  readonly #spectrogram = new PowerSpectrogram(FFT_SIZE, HOP);
  readonly #filters: readonly MelFilter[] = melFilterBank(MELS, FFT_SIZE, SAMPLE_RATE);
  readonly #power = new Float64Array(this.#spectrogram.bins);
  #logMel = new Float64Array(0);
  #first = new Float64Array(0);
  #second = new Float64Array(0);

  /** Frames of the features of `samples` samples: 8 fewer than the STFT has, 39 for one second. */
  frames(samples: number): number {
    return this.#spectrogram.frames(samples) - 2 * DELTA_LOSS;
  }

  /**
   * Features [6, 128, frames] of a recording of any length from 8192 samples, at 48 kHz.
   * `range` is scaled to [0, 1]; its default is the recording's own. A recording whose range is empty (silence) gives zeros.
   * Throws if the channels differ in length or are too short for a single frame.
   */
  extract(sound: Stereo, range?: LogMelRange): LogMelFeatures {
    const frames = this.#analyse(sound);
    const rows = 2 * MELS;
    this.#scale(rows * frames, range ?? this.#rangeOf(rows * frames));
    delta(this.#logMel, rows, frames, this.#first);
    delta(this.#first, rows, frames - DELTA_LOSS, this.#second);
    const kept = frames - 2 * DELTA_LOSS;
    const data = new Float32Array(FEATURE_CHANNELS * MELS * kept);
    const size = rows * kept;
    crop(this.#logMel, rows, frames, kept, data.subarray(0, size));
    crop(this.#first, rows, frames - DELTA_LOSS, kept, data.subarray(size, 2 * size));
    crop(this.#second, rows, kept, kept, data.subarray(2 * size));
    return { data, shape: [FEATURE_CHANNELS, MELS, kept] };
  }

  /** The log-mel range of a whole recording, for `extract` on parts of it. */
  range(sound: Stereo): LogMelRange {
    return this.#rangeOf(2 * MELS * this.#analyse(sound));
  }

  /**
   * Features of each second of a clip, [6, 128, 39] each, in order (`secondsOf` says how it is cut).
   * With 'clip', values may leave [0, 1] a little, because each second is mirrored at its edges where the clip goes on.
   */
  seconds(clip: Stereo, scaling: Scaling = 'sample'): LogMelFeatures[] {
    const range = scaling === 'clip' ? this.range(clip) : undefined;
    return secondsOf(clip).map((second) => this.extract(second, range));
  }

  /** Fills #logMel with [2, 128, frames] and returns the number of frames. */
  #analyse(sound: Stereo): number {
    const samples = sound[0].length;
    if (sound[1].length !== samples) {
      throw new Error(`left and right differ in length: ${samples} and ${sound[1].length} samples`);
    }
    const frames = this.#spectrogram.frames(samples);
    if (frames <= 2 * DELTA_LOSS) {
      throw new Error(
        `${samples} samples are too short for one frame of features: at least ${2 * DELTA_LOSS * HOP} are needed`,
      );
    }
    this.#reserve(2 * MELS * frames);
    const power = this.#power;
    sound.forEach((signal, channel) => {
      for (let t = 0; t < frames; t++) {
        this.#spectrogram.frame(signal, t, power);
        this.#filters.forEach((filter, mel) => {
          this.#logMel[(channel * MELS + mel) * frames + t] = Math.log(melEnergy(filter, power) + LOG_FLOOR);
        });
      }
    });
    return frames;
  }

  #reserve(values: number): void {
    if (this.#logMel.length >= values) return;
    this.#logMel = new Float64Array(values);
    this.#first = new Float64Array(values);
    this.#second = new Float64Array(values);
  }

  #rangeOf(values: number): LogMelRange {
    let min = Infinity;
    let max = -Infinity;
    for (let i = 0; i < values; i++) {
      const value = this.#logMel[i] as number;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    return { min, max };
  }

  #scale(values: number, { min, max }: LogMelRange): void {
    const factor = max > min ? 1 / (max - min) : 0;
    for (let i = 0; i < values; i++) this.#logMel[i] = ((this.#logMel[i] as number) - min) * factor;
  }
}

/** Copies the middle `kept` of `frames` values of every row. */
function crop(x: Float64Array, rows: number, frames: number, kept: number, out: Float32Array): void {
  const skipped = (frames - kept) / 2;
  for (let row = 0; row < rows; row++) {
    const from = row * frames + skipped;
    out.set(x.subarray(from, from + kept), row * kept);
  }
}

/**
 * Features [6, 128, frames] of one recording. For many recordings, keep a `LogMelExtractor` instead.
 * Throws if `sampleRate` is not 48,000 Hz.
 */
export function logMelFeatures(sound: Stereo, sampleRate: number): LogMelFeatures {
  if (sampleRate !== SAMPLE_RATE) {
    throw new Error(`the features want sound at ${SAMPLE_RATE} Hz, got ${sampleRate} Hz: resample it first`);
  }
  return new LogMelExtractor().extract(sound);
}
