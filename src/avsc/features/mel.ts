// Triangular mel filters: on the HTK scale without area normalization, or Slaney's, which librosa takes by default.

/** One triangular filter, as its non-zero weights. */
export interface MelFilter {
  /** FFT bin of `weights[0]`. */
  readonly start: number;
  readonly weights: Float64Array;
}

interface MelScale {
  readonly toMel: (hz: number) => number;
  readonly toHz: (mel: number) => number;
  /** Factor of a filter from `low` to `high` Hz. */
  readonly gain: (low: number, high: number) => number;
}

const SCALES = {
  /** 2595 log10(1 + f / 700). Each filter peaks at 1. */
  htk: {
    toMel: (hz) => 2595 * Math.log10(1 + hz / 700),
    toHz: (mel) => 700 * (10 ** (mel / 2595) - 1),
    gain: () => 1,
  },
  /** Linear below 1 kHz, 3 mel per 200 Hz; above, 27 mel for each factor of 6.4. Each filter has the area 1 (Slaney, Auditory Toolbox). */
  slaney: {
    toMel: (hz) => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4)),
    toHz: (mel) => (mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27)),
    gain: (low, high) => 2 / (high - low),
  },
} as const satisfies Readonly<Record<string, MelScale>>;

/**
 * `count` filters whose corners are evenly spaced in mel from 0 Hz to half the sample rate.
 * The weights are evaluated at the bin centres of an FFT of `fftSize` samples.
 */
export function melFilterBank(
  count: number,
  fftSize: number,
  sampleRate: number,
  scale: keyof typeof SCALES = 'htk',
): MelFilter[] {
  const { toMel, toHz, gain }: MelScale = SCALES[scale];
  const top = toMel(sampleRate / 2);
  const corner = (i: number): number => toHz((top * i) / (count + 1));
  return Array.from({ length: count }, (_, i) => {
    const [low, centre, high] = [corner(i), corner(i + 1), corner(i + 2)];
    const binWidth = sampleRate / fftSize;
    const start = Math.floor(low / binWidth) + 1;
    const end = Math.min(Math.ceil(high / binWidth), fftSize / 2 + 1);
    const factor = gain(low, high);
    const weights = Float64Array.from({ length: Math.max(end - start, 0) }, (_, k) => {
      const hz = (start + k) * binWidth;
      return factor * Math.max(0, Math.min((hz - low) / (centre - low), (high - hz) / (high - centre)));
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
