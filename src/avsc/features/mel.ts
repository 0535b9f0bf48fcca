// Triangular mel filters on the HTK scale, without area normalisation.

/** One triangular filter, as its non-zero weights. */
export interface MelFilter {
  /** FFT bin of `weights[0]`. */
  readonly start: number;
  readonly weights: Float64Array;
}

/** HTK mel scale: 2595 log10(1 + f / 700), f in Hz. */
function hzToMel(hz: number): number {
  return 2595 * Math.log10(1 + hz / 700);
}

function melToHz(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

/**
 * `count` filters whose corners are evenly spaced in mel from 0 Hz to half the sample rate. Each peaks at 1.
 * The weights are evaluated at the bin centres of an FFT of `fftSize` samples.
 */
export function melFilterBank(count: number, fftSize: number, sampleRate: number): MelFilter[] {
  const top = hzToMel(sampleRate / 2);
  const corner = (i: number): number => melToHz((top * i) / (count + 1));
  return Array.from({ length: count }, (_, i) => {
    const [low, centre, high] = [corner(i), corner(i + 1), corner(i + 2)];
    const binWidth = sampleRate / fftSize;
    const start = Math.floor(low / binWidth) + 1;
    const end = Math.min(Math.ceil(high / binWidth), fftSize / 2 + 1);
    const weights = Float64Array.from({ length: Math.max(end - start, 0) }, (_, k) => {
      const hz = (start + k) * binWidth;
      return Math.max(0, Math.min((hz - low) / (centre - low), (high - hz) / (high - centre)));
    });
    return { start, weights };
  });
}

/** Energy in one filter: the weighted sum of a power spectrum. */
export function melEnergy(filter: MelFilter, power: Float64Array): number {
  const { start, weights } = filter;
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += (weights[k] as number) * (power[start + k] as number);
  return sum;
}
