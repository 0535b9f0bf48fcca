// OpenL3's spectrogram against a numpy float64 reference (tools/openl3_reference.py wrote the fixtures).

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../../src/avsc/audio/clip.ts';
import { decodeWav } from '../../src/avsc/audio/wav.ts';
import { SOUND_INPUTS } from '../../src/avsc/features/inputs.ts';
import { melFilterBank } from '../../src/avsc/features/mel.ts';
import { OpenL3Extractor } from '../../src/avsc/features/openl3.ts';

interface Summary {
  readonly frames: number;
  readonly every: number;
  readonly spots: readonly number[];
  readonly mean: number;
  readonly rms: number;
  readonly floor: number;
}

interface Fixture {
  readonly sum: number;
  readonly rowSums: readonly number[];
  readonly cases: Readonly<Record<string, Summary>>;
}

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/features/${name}`, import.meta.url), 'utf8'));

const RECORDINGS = new URL('../../../shared/data/tau-mini/audio/', import.meta.url);
/** In dB. Values are rounded to f32, whose steps at 80 are 8e-6. */
const TOLERANCE = 1e-5;

/** The same formula as `synthetic` in tools/features_reference.py. */
function synthetic(second: number): Stereo {
  const channel = (c: number): Float32Array =>
    Float32Array.from({ length: SAMPLE_RATE }, (_, k) => {
      const i = second * SAMPLE_RATE + k;
      const t = i / SAMPLE_RATE;
      const noise = ((i * 2654435761 + c * 97531) % 2 ** 32) / 2 ** 32 - 0.5;
      const slow = 0.5 + 0.4 * Math.sin(2 * Math.PI * (0.3 + 0.2 * c) * t);
      const tone = Math.sin(2 * Math.PI * (220 + 330 * c) * t + 40 * Math.sin(2 * Math.PI * 0.7 * t));
      return 0.3 * slow * tone + 0.1 * noise * (1 - slow);
    });
  return [channel(0), channel(1)];
}

const extractor = new OpenL3Extractor();
const VALUES = 256 * 199;

function spectrogram(second: Stereo): Float32Array {
  const out = new Float32Array(VALUES);
  extractor.extract(second, out);
  return out;
}

/** Largest difference in dB over spot values, mean and root mean square. */
function compare(name: string, values: Float32Array, expected: Summary): number {
  expect([values.length, expected.frames]).toEqual([VALUES, SOUND_INPUTS.openl3[2]]);
  expect(values.filter((x) => x === -80)).toHaveLength(expected.floor);
  expect(Math.max(...values)).toBe(0);
  const spots = [...values.filter((_, i) => i % expected.every === 0)];
  const mean = values.reduce((sum, x) => sum + x, 0) / VALUES;
  const rms = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / VALUES);
  const wanted = [...expected.spots, expected.mean, expected.rms];
  expect(spots).toHaveLength(expected.spots.length);
  const error = Math.max(...[...spots, mean, rms].map((value, i) => Math.abs(value - (wanted[i] ?? NaN))));
  console.log(`OpenL3's spectrogram of ${name}: max abs error ${error.toExponential(1)} dB`);
  return error;
}

describe("OpenL3's spectrogram", () => {
  const { sum, rowSums, cases } = fixture('openl3.json') as Fixture;

  test("filters are librosa's, none of them empty", () => {
    const sums = melFilterBank(256, 2048, SAMPLE_RATE, 'slaney').map(({ weights }) =>
      weights.reduce((a, b) => a + b, 0),
    );
    sums.forEach((value, i) => expect(value).toBeCloseTo(rowSums[i] ?? NaN, 12));
    expect(sums.reduce((a, b) => a + b)).toBeCloseTo(sum, 10);
    expect(Math.min(...sums)).toBeGreaterThan(0);
  });

  test.each(Object.entries(cases))('of the %s. second agrees with numpy', (name, expected) => {
    const values = spectrogram(synthetic(Number(name.split(' ')[1])));
    expect(compare(name, values, expected)).toBeLessThan(TOLERANCE);
  });

  test('of silence is the maximum everywhere', () => {
    const silence = new Float32Array(SAMPLE_RATE);
    expect(spectrogram([silence, silence]).every((x) => x === 0)).toBe(true);
  });

  const real = existsSync(RECORDINGS)
    ? Object.entries(fixture('openl3-tau-mini.json') as Record<string, Summary>)
    : [];
  test.skipIf(real.length === 0).each(real.length === 0 ? [['none']] : real.map(([name]) => [name]))(
    'of the real recording %s agrees with numpy (skipped where ../shared/data/tau-mini is absent)',
    (name) => {
      const wav = decodeWav(readFileSync(new URL(name, RECORDINGS)));
      const second = secondsOf(toStereo(wav.channels))[3];
      const expected = new Map(real).get(name);
      if (!second || !expected) throw new Error(`${name} has no fourth second`);
      expect(compare(name, spectrogram(second), expected)).toBeLessThan(TOLERANCE);
    },
  );
});
