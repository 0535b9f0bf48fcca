// Resampling by a Kaiser-windowed sinc (Julius O. Smith, "Digital Audio Resampling", ccrma.stanford.edu).

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
  const ratio = to / from;
  if (!(from > 0 && to > 0 && ratio <= MAX_RATIO && ratio >= 1 / MAX_RATIO)) {
    throw new Error(
      `cannot resample from ${from} Hz to ${to} Hz: both must be positive and within ${MAX_RATIO} times of each other`,
    );
  }
  if (from === to) return Float32Array.from(channel);
  const kernel = sincTable();
  const scale = Math.min(1, ratio);
  const reach = CROSSINGS / scale;
  const out = new Float32Array(Math.round(channel.length * ratio));
  for (let i = 0; i < out.length; i++) {
    const time = i / ratio;
    const first = Math.max(0, Math.ceil(time - reach));
    const last = Math.min(channel.length - 1, Math.floor(time + reach));
    let sum = 0;
    for (let n = first; n <= last; n++) {
      const position = Math.abs(time - n) * scale * STEPS;
      const step = Math.floor(position);
      const low = kernel[step] as number;
      sum += (channel[n] as number) * (low + (position - step) * ((kernel[step + 1] as number) - low));
    }
    out[i] = sum * scale;
  }
  return out;
}

/** One half of the low-pass at unit rate, `STEPS` values per zero crossing; two zeros end it for the interpolation. */
function sincTable(): Float64Array {
  const size = CROSSINGS * STEPS;
  const table = new Float64Array(size + 2);
  const top = besselI0(KAISER_BETA);
  for (let i = 0; i < size; i++) {
    const x = Math.PI * ROLLOFF * (i / STEPS);
    const sinc = i === 0 ? 1 : Math.sin(x) / x;
    table[i] = (ROLLOFF * sinc * besselI0(KAISER_BETA * Math.sqrt(1 - (i / size) ** 2))) / top;
  }
  return table;
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
