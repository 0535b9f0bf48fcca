import { describe, expect, test } from 'vitest';
import { resample } from '../../src/avsc/audio/resample.ts';

const tone = (hz: number, rate: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate + 0.3));

/** Largest absolute difference away from the ends, where the signal outside is unknown. */
function innerError(actual: Float32Array, expected: Float32Array, margin: number): number {
  let worst = 0;
  for (let i = margin; i < expected.length - margin; i++) {
    worst = Math.max(worst, Math.abs((actual[i] ?? NaN) - (expected[i] ?? NaN)));
  }
  return worst;
}

describe('resample', () => {
  test.each([
    [44100, 48000, 1000],
    [44100, 48000, 19000],
    [48000, 44100, 19000],
    [16000, 48000, 7000],
    [96000, 48000, 20000],
    [22050, 48000, 9000],
    [32000, 44056.5, 12000],
  ])('from %d to %d Hz keeps a tone of %d Hz to -94 dB', (from, to, hz) => {
    const length = from;
    const out = resample(tone(hz, from, length), from, to);
    const wanted = tone(hz, to, Math.round((length * to) / from));
    expect(out).toHaveLength(wanted.length);
    const error = innerError(out, wanted, Math.ceil(80 * Math.max(1, to / from)));
    console.log(`resample ${from} to ${to} Hz, tone of ${hz} Hz: max abs error ${error.toExponential(2)}`);
    expect(error).toBeLessThan(2e-5);
  });

  test.each([
    [48000, 32000, 17000],
    [96000, 48000, 25000],
    [48000, 16000, 8100],
  ])('from %d to %d Hz takes away a tone of %d Hz, which would alias', (from, to, hz) => {
    const out = resample(tone(hz, from, from), from, to);
    const error = innerError(out, new Float32Array(out.length), 80);
    console.log(`resample ${from} to ${to} Hz: ${hz} Hz leaves ${(20 * Math.log10(error)).toFixed(1)} dB`);
    expect(error).toBeLessThan(1e-5);
  });

  test('keeps a constant and copies at equal rates', () => {
    const ones = new Float32Array(4000).fill(1);
    const out = resample(ones, 44100, 48000);
    expect(innerError(out, new Float32Array(out.length).fill(1), 80)).toBeLessThan(2e-5);
    const same = resample(ones, 48000, 48000);
    expect(same).toEqual(ones);
    expect(same).not.toBe(ones);
    expect(resample(new Float32Array(0), 44100, 48000)).toHaveLength(0);
  });

  test('refuses rates without sense', () => {
    const samples = new Float32Array(10);
    for (const [from, to] of [
      [0, 48000],
      [48000, -1],
      [NaN, 48000],
      [48000, Infinity],
      [100, 48000],
    ] as const) {
      expect(() => resample(samples, from, to)).toThrow(`cannot resample from ${from} Hz to ${to} Hz`);
    }
  });
});
