// Resampling by a Kaiser-windowed sinc (Julius O. Smith, "Digital Audio Resampling", ccrma.stanford.edu).

import { toStereo, type Stereo } from './clip.ts';

/** Zero crossings of the sinc on either side, at the lower of the two rates. */
const CROSSINGS = 64;
/** Cutoff as a fraction of the lower Nyquist frequency. The response is flat up to 0.90 of it and below -100 dB from 1.00 on. */
const ROLLOFF = 0.95;
const KAISER_BETA = 10;
/** Table steps per zero crossing. Linear interpolation between them errs by less than -110 dB. */
const STEPS = 512;
const MAX_RATIO = 256;

/**
 * Resamples one channel from rate `from` to rate `to` (any positive numbers, only their ratio counts).
 * Returns a new array of round(length * to / from) samples; the signal is taken as zero outside.
 * Throws if a rate is not positive or the two differ by more than 256 times.
 */
export function resample(channel: Float32Array, from: number, to: number): Float32Array<ArrayBuffer> {
  const length = Math.round((channel.length * to) / from);
  const [out = new Float32Array()] = resampleTogether([channel], from, to, length);
  return out;
}

/**
 * Resamples left and right as `resample` does, in two thirds of the time. Mono stays one array.
 * `length` is the number of samples to compute. Throws if the channels differ in length.
 */
export function resampleStereo(
  [left, right]: Stereo,
  from: number,
  to: number,
  length = Math.round((left.length * to) / from),
): Stereo {
  if (left.length !== right.length) {
    throw new Error(`left and right differ in length: ${left.length} and ${right.length} samples`);
  }
  return toStereo(resampleTogether(left === right ? [left] : [left, right], from, to, length));
}

/** Channels of one length share each filter. */
function resampleTogether(
  channels: readonly Float32Array[],
  from: number,
  to: number,
  length: number,
): Float32Array<ArrayBuffer>[] {
  const ratio = to / from;
  if (!(from > 0 && to > 0 && ratio <= MAX_RATIO && ratio >= 1 / MAX_RATIO)) {
    throw new Error(
      `cannot resample from ${from} Hz to ${to} Hz: both must be positive and within ${MAX_RATIO} times of each other`,
    );
  }
  const available = channels[0]?.length ?? 0;
  if (from === to && length === available) return channels.map((channel) => Float32Array.from(channel));
  const filter = new LowPass(ratio);
  const out = channels.map(() => new Float32Array(length));
  for (let i = 0; i < length; i++) {
    filter.moveTo(i / ratio, available);
    for (let c = 0; c < out.length; c++) {
      (out[c] as Float32Array)[i] = filter.apply(channels[c] as Float32Array);
    }
  }
  return out;
}

/** The windowed sinc around one point in time, as weights of the samples of the source. */
class LowPass {
  readonly #kernel = sincTable();
  readonly #scale: number;
  readonly #reach: number;
  readonly #weights: Float64Array;
  #first = 0;
  #count = 0;

  constructor(ratio: number) {
    this.#scale = Math.min(1, ratio);
    this.#reach = CROSSINGS / this.#scale;
    this.#weights = new Float64Array(2 * Math.ceil(this.#reach) + 1);
  }

  /** Centers the filter on `time`, in samples of a signal of `length` samples. */
  moveTo(time: number, length: number): void {
    const kernel = this.#kernel;
    const weights = this.#weights;
    const scale = this.#scale;
    const steps = scale * STEPS;
    const first = Math.max(0, Math.ceil(time - this.#reach));
    const count = Math.min(length - 1, Math.floor(time + this.#reach)) - first + 1;
    for (let n = 0; n < count; n++) {
      const position = Math.abs(time - first - n) * steps;
      const step = position | 0;
      const low = kernel[step] as number;
      weights[n] = (low + (position - step) * ((kernel[step + 1] as number) - low)) * scale;
    }
    this.#first = first;
    this.#count = count;
  }

  apply(signal: Float32Array): number {
    const weights = this.#weights;
    const first = this.#first;
    let sum = 0;
    for (let n = 0; n < this.#count; n++) sum += (signal[first + n] as number) * (weights[n] as number);
    return sum;
  }
}

let table: Float64Array | undefined;

/** One half of the low-pass at unit rate, `STEPS` values per zero crossing; two zeros end it for the interpolation. */
function sincTable(): Float64Array {
  table ??= makeSincTable();
  return table;
}

function makeSincTable(): Float64Array {
  const size = CROSSINGS * STEPS;
  const half = new Float64Array(size + 2);
  const top = besselI0(KAISER_BETA);
  for (let i = 0; i < size; i++) {
    const x = Math.PI * ROLLOFF * (i / STEPS);
    const sinc = i === 0 ? 1 : Math.sin(x) / x;
    half[i] = (ROLLOFF * sinc * besselI0(KAISER_BETA * Math.sqrt(1 - (i / size) ** 2))) / top;
  }
  return half;
}

/** Modified Bessel function of the first kind and order zero, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-16; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
