// Time stretching by a phase vocoder (D. P. W. Ellis, "A Phase Vocoder in Matlab", 2002), as `librosa.effects.time_stretch` does it.

import FFT from 'fft.js';
import type { Stereo } from '../../audio/clip.ts';

const FFT_SIZE = 2048;
const HOP = 512;
const BINS = FFT_SIZE / 2 + 1;
/** Both channels lie one after the other in a row of bins. */
const ROW = 2 * BINS;
/** Where the squared windows sum to less, librosa leaves the output as it is. */
const TINY = 1.2e-38;
/** The rate lies within 1/8 and 8. */
export const MAX_RATE = 8;

/**
 * Plays a sound `rate` times as fast and keeps its pitch. Returns new channels of round(n / rate) samples.
 * The phase vocoder of librosa 0.9 and later: n_fft 2048, hop 512, periodic Hann, centered, zeros outside the signal, each channel by itself.
 * Throws a RangeError if the rate is not within 1/8 .. 8, or if the sound is empty or its channels differ in length.
 */
export function timeStretch(sound: Stereo, rate: number): Stereo {
  const [left, right] = sound;
  if (!(rate >= 1 / MAX_RATE && rate <= MAX_RATE)) {
    throw new RangeError(
      `cannot stretch a sound by the rate ${rate}: it must lie within 1/${MAX_RATE} and ${MAX_RATE}`,
    );
  }
  if (left.length === 0 || left.length !== right.length) {
    throw new RangeError(
      `cannot stretch a sound of ${left.length} and ${right.length} samples: left and right must be of one length, not empty`,
    );
  }
  const stretched = new PhaseVocoder(sound).stretch(rate);
  // Mono stays mono to the last bit.
  return left === right ? [stretched[0], stretched[0]] : stretched;
}

/** One frame of the STFT: of each bin the magnitude, and the phase as a complex number of magnitude 1. */
interface Column {
  frame: number;
  readonly magnitude: Float64Array;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** The analysis, the phases and the overlap-add of one sound. Everything is allocated once, none of it per frame. */
class PhaseVocoder {
  readonly #sound: Stereo;
  readonly #frames: number;
  readonly #fft = new FFT(FFT_SIZE);
  readonly #window = Float64Array.from(
    { length: FFT_SIZE },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT_SIZE),
  );
  /** Left and right as the real and the imaginary part, so that one transform serves both. */
  readonly #samples = new Float64Array(2 * FFT_SIZE);
  readonly #spectrum = new Float64Array(2 * FFT_SIZE);
  readonly #even = emptyColumn();
  readonly #odd = emptyColumn();
  readonly #phaseRe = new Float64Array(ROW);
  readonly #phaseIm = new Float64Array(ROW);
  /** Left, right and squared windows, overlapped and added, from the first sample that later frames still change. */
  readonly #sums = [
    new Float64Array(FFT_SIZE),
    new Float64Array(FFT_SIZE),
    new Float64Array(FFT_SIZE),
  ] as const;

  constructor(sound: Stereo) {
    this.#sound = sound;
    this.#frames = 1 + Math.floor(sound[0].length / HOP);
  }

  stretch(rate: number): Stereo {
    const length = roundHalfToEven(this.#sound[0].length / rate);
    const out = [new Float32Array(length), new Float32Array(length)] as const;
    const first = this.#column(0);
    this.#phaseRe.set(first.re);
    this.#phaseIm.set(first.im);
    const steps = Math.ceil(this.#frames / rate);
    for (let t = 0; t < steps; t++) {
      const step = t * rate;
      const frame = Math.floor(step);
      const now = this.#column(frame);
      const next = this.#column(frame + 1);
      this.#synthesize(now, next, step - frame);
      this.#advance(now, next);
      this.#overlapAdd();
      this.#emit(out, t * HOP - FFT_SIZE / 2, t + 1 < steps ? HOP : FFT_SIZE);
    }
    return out;
  }

  /** Frame `index` of the STFT. Two neighbors are kept. */
  #column(index: number): Column {
    const column = index % 2 === 0 ? this.#even : this.#odd;
    if (column.frame === index) return column;
    column.frame = index;
    if (index < this.#frames) this.#analyze(column);
    else {
      // librosa appends empty frames, whose phase counts as 0.
      column.magnitude.fill(0);
      column.re.fill(1);
      column.im.fill(0);
    }
    return column;
  }

  #analyze({ frame, magnitude, re, im }: Column): void {
    const [left, right] = this.#sound;
    const samples = this.#samples;
    const start = frame * HOP - FFT_SIZE / 2;
    for (let i = 0; i < FFT_SIZE; i++) {
      const at = start + i;
      const weight = at >= 0 && at < left.length ? (this.#window[i] as number) : 0;
      samples[2 * i] = weight === 0 ? 0 : weight * (left[at] as number);
      samples[2 * i + 1] = weight === 0 ? 0 : weight * (right[at] as number);
    }
    const z = this.#spectrum;
    this.#fft.transform(z, samples);
    for (let k = 0; k < BINS; k++) {
      const mirror = 2 * ((FFT_SIZE - k) % FFT_SIZE);
      const [a, b] = [z[2 * k] as number, z[2 * k + 1] as number];
      const [c, d] = [z[mirror] as number, z[mirror + 1] as number];
      setPolar(magnitude, re, im, k, (a + c) / 2, (b - d) / 2);
      setPolar(magnitude, re, im, BINS + k, (b + d) / 2, (c - a) / 2);
    }
  }

  /** Interpolates the magnitudes and gives them the accumulated phases; the spectrum of left + i * right, in full. */
  #synthesize(now: Column, next: Column, share: number): void {
    const z = this.#spectrum;
    for (let k = 0; k < BINS; k++) {
      const r = BINS + k;
      const onLeft = (1 - share) * (now.magnitude[k] as number) + share * (next.magnitude[k] as number);
      const onRight = (1 - share) * (now.magnitude[r] as number) + share * (next.magnitude[r] as number);
      const a = onLeft * (this.#phaseRe[k] as number);
      const b = onLeft * (this.#phaseIm[k] as number);
      const c = onRight * (this.#phaseRe[r] as number);
      const d = onRight * (this.#phaseIm[r] as number);
      const mirror = 2 * ((FFT_SIZE - k) % FFT_SIZE);
      z[2 * k] = a - d;
      z[2 * k + 1] = b + c;
      z[mirror] = a + d;
      z[mirror + 1] = c - b;
    }
  }

  /**
   * Adds the phase difference of two frames. librosa wraps the difference from the bin's expected advance and adds that advance
   * again, which changes the phase by whole turns only; as complex numbers both are one product.
   */
  #advance(now: Column, next: Column): void {
    const phaseRe = this.#phaseRe;
    const phaseIm = this.#phaseIm;
    for (let k = 0; k < ROW; k++) {
      const [a, b] = [next.re[k] as number, next.im[k] as number];
      const [c, d] = [now.re[k] as number, now.im[k] as number];
      const re = a * c + b * d;
      const im = b * c - a * d;
      const [p, q] = [phaseRe[k] as number, phaseIm[k] as number];
      const x = p * re - q * im;
      const y = p * im + q * re;
      // Rounding must not let the magnitude drift from 1.
      const norm = 1 / Math.sqrt(x * x + y * y);
      phaseRe[k] = x * norm;
      phaseIm[k] = y * norm;
    }
  }

  #overlapAdd(): void {
    const samples = this.#samples;
    this.#fft.inverseTransform(samples, this.#spectrum);
    const [left, right, weights] = this.#sums;
    for (let i = 0; i < FFT_SIZE; i++) {
      const weight = this.#window[i] as number;
      left[i] = (left[i] as number) + weight * (samples[2 * i] as number);
      right[i] = (right[i] as number) + weight * (samples[2 * i + 1] as number);
      weights[i] = (weights[i] as number) + weight * weight;
    }
  }

  /** Writes the first `count` finished samples to `out` from `start` on, as far as they lie in it, and moves the rest up. */
  #emit(out: Stereo, start: number, count: number): void {
    const [left, right, weights] = this.#sums;
    const last = Math.min(count, out[0].length - start);
    for (let i = Math.max(0, -start); i < last; i++) {
      const weight = weights[i] as number;
      const scale = weight > TINY ? 1 / weight : 1;
      out[0][start + i] = (left[i] as number) * scale;
      out[1][start + i] = (right[i] as number) * scale;
    }
    for (const sum of this.#sums) {
      sum.copyWithin(0, count);
      sum.fill(0, FFT_SIZE - count);
    }
  }
}

function emptyColumn(): Column {
  return {
    frame: -1,
    magnitude: new Float64Array(ROW),
    re: new Float64Array(ROW),
    im: new Float64Array(ROW),
  };
}

function setPolar(
  magnitude: Float64Array,
  re: Float64Array,
  im: Float64Array,
  at: number,
  x: number,
  y: number,
): void {
  const size = Math.sqrt(x * x + y * y);
  magnitude[at] = size;
  re[at] = size > 0 ? x / size : 1;
  im[at] = size > 0 ? y / size : 0;
}

/** Python's round. */
function roundHalfToEven(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 === 1 ? up - 1 : up;
}
