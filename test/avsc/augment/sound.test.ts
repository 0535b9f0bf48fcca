// Operations on recordings. Stretch and pitch against numpy (tools/sound_cases.py wrote the fixtures).

import FFT from 'fft.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SAMPLE_RATE, toStereo, type Stereo } from '../../../src/avsc/audio/clip.ts';
import { decodeWav } from '../../../src/avsc/audio/wav.ts';
import { SOUND_OPERATION_NAMES, SOUND_OPERATIONS } from '../../../src/avsc/augment/sound/index.ts';
import { mixSounds } from '../../../src/avsc/augment/sound/operations/mix.ts';
import { addNoise } from '../../../src/avsc/augment/sound/operations/noise.ts';
import { pitchShift } from '../../../src/avsc/augment/sound/operations/pitch.ts';
import { timeStretch } from '../../../src/avsc/augment/sound/phase-vocoder.ts';
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import { synthetic } from '../../support/synthetic_sound.ts';

interface Case {
  sound: string;
  op: 'stretch' | 'pitch';
  value: number;
  length: number;
  /** Decibels, [2, 64]. */
  bands: number[][];
  samples?: number[][];
}

interface Fixture {
  bands: number;
  spectrum: number;
  samples: number;
  every: number;
  second: number;
  cases: Case[];
}

const fixture = (name: string): Fixture =>
  JSON.parse(readFileSync(new URL(`../../fixtures/sound/${name}`, import.meta.url), 'utf8')) as Fixture;

/** Fixtures keep three decimals. */
const MAX_DECIBELS = 0.002;

const RECORDINGS = new URL('../../../../shared/data/tau-mini/audio/', import.meta.url);

const run = (sound: Stereo, { op, value }: Case): Stereo =>
  op === 'stretch' ? timeStretch(sound, value) : pitchShift(sound, value);

/** Powers of the frequencies 0 .. rate / 2 of a channel that is filled with zeros up to `size`. */
function powers(channel: Float32Array, size: number): Float64Array {
  const fft = new FFT(size);
  const padded = new Float64Array(size);
  padded.set(channel);
  const spectrum = new Float64Array(2 * size);
  fft.realTransform(spectrum, padded);
  return Float64Array.from(
    { length: size / 2 },
    (_, k) => (spectrum[2 * k] ?? NaN) ** 2 + (spectrum[2 * k + 1] ?? NaN) ** 2,
  );
}

/** Largest difference of the energies of 64 bands, in decibels. */
function bandError(channel: Float32Array, wanted: readonly number[], size: number): number {
  const power = powers(channel, size);
  const width = power.length / wanted.length;
  return Math.max(
    ...wanted.map((decibels, b) => {
      const energy = power.subarray(b * width, (b + 1) * width).reduce((sum, x) => sum + x, 0);
      return Math.abs(10 * Math.log10(energy + 1e-12) - decibels);
    }),
  );
}

describe('time stretch and pitch shift of a synthetic sound agree with numpy', () => {
  const { cases, samples, every, spectrum } = fixture('synthetic.json');
  const sound = synthetic(1).map((channel) => channel.slice(0, samples)) as unknown as Stereo;
  test.each(cases)('$op by $value', (expected) => {
    const out = run(sound, expected);
    expect(out.map((channel) => channel.length)).toEqual([expected.length, expected.length]);
    const errors = out.map((channel, c) => {
      const wanted = expected.samples?.[c] ?? [];
      const got = channel.filter((_, i) => i % every === 0);
      expect(got).toHaveLength(wanted.length);
      const difference = Math.hypot(...got.map((x, i) => x - (wanted[i] ?? NaN)));
      return difference / Math.hypot(...wanted);
    });
    const decibels = out.map((channel, c) => bandError(channel, expected.bands[c] ?? [], spectrum));
    console.log(
      `${expected.op} by ${expected.value}: relative error ${errors.map((e) => e.toExponential(1)).join(', ')}; ` +
        `bands ${decibels.map((d) => d.toFixed(4)).join(', ')} dB`,
    );
    expect(Math.max(...errors)).toBeLessThan(3e-6);
    expect(Math.max(...decibels)).toBeLessThan(MAX_DECIBELS);
  });
});

describe.skipIf(!existsSync(RECORDINGS))(
  'time stretch and pitch shift of real recordings agree with numpy (skipped where ../shared/data/tau-mini is absent)',
  () => {
    const { cases, second, spectrum } = fixture('tau-mini.json');
    test.each([...new Set(cases.map((row) => row.sound))])('%s', (name) => {
      const { channels } = decodeWav(readFileSync(new URL(name, RECORDINGS)));
      const start = second * SAMPLE_RATE;
      const sound = toStereo(channels.map((c) => c.subarray(start, start + SAMPLE_RATE)));
      const worst: number[] = [];
      for (const expected of cases.filter((row) => row.sound === name)) {
        const out = run(sound, expected);
        expect(out.map((channel) => channel.length)).toEqual([expected.length, expected.length]);
        const decibels = out.map((channel, c) => bandError(channel, expected.bands[c] ?? [], spectrum));
        worst.push(Math.max(...decibels));
      }
      console.log(`${name}: bands differ by ${worst.map((d) => d.toFixed(4)).join(', ')} dB`);
      expect(Math.max(...worst)).toBeLessThan(MAX_DECIBELS);
    });
  },
);

/** Frequency of the strongest peak in Hz, between bins by a parabola through the logarithms. */
function peak(channel: Float32Array, size = 2 ** 15): number {
  const middle = Math.floor((channel.length - size) / 2);
  const windowed = channel
    .slice(middle, middle + size)
    .map((x, i) => x * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size)));
  const power = powers(windowed, size).map(Math.log);
  const top = power.indexOf(Math.max(...power));
  const [a, b, c] = [power[top - 1] ?? NaN, power[top] ?? NaN, power[top + 1] ?? NaN];
  return ((top + (a - c) / (2 * (a - 2 * b + c))) * SAMPLE_RATE) / size;
}

const tone = (hertz: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / SAMPLE_RATE));

const rms = (channel: Float32Array): number =>
  Math.sqrt(channel.reduce((sum, x) => sum + x * x, 0) / channel.length);

describe('a sine', () => {
  const sound: Stereo = [tone(440, 96_000), tone(1250, 96_000)];

  test.each([-12, -4, -0.7, 2, 4, 7])('shifted by %d semitones has its new frequency', (semitones) => {
    const out = pitchShift(sound, semitones);
    [440, 1250].forEach((hertz, c) => {
      const channel = out[c] ?? new Float32Array();
      expect(channel).toHaveLength(96_000);
      const error = peak(channel) / (hertz * 2 ** (semitones / 12)) - 1;
      console.log(`${hertz} Hz by ${semitones} semitones: ${(100 * error).toFixed(4)} %`);
      expect(Math.abs(error)).toBeLessThan(0.005);
    });
  });

  test.each([0.5, 0.8, 1, 1.5, 2])('stretched by %d keeps its frequency', (rate) => {
    const out = timeStretch(sound, rate);
    [440, 1250].forEach((hertz, c) => {
      const channel = out[c] ?? new Float32Array();
      expect(channel).toHaveLength(Math.round(96_000 / rate));
      const error = peak(channel) / hertz - 1;
      console.log(`${hertz} Hz at rate ${rate}: ${(100 * error).toFixed(4)} %`);
      expect(Math.abs(error)).toBeLessThan(0.005);
    });
  });
});

describe('time stretch and pitch shift', () => {
  const sound = synthetic(1);

  test('by nothing give the sound back', () => {
    for (const out of [timeStretch(sound, 1), pitchShift(sound, 0)]) {
      const worst = Math.max(
        ...out.flatMap((channel, c) => [...channel.map((x, i) => Math.abs(x - (sound[c]?.[i] ?? NaN)))]),
      );
      console.log(`largest difference ${worst.toExponential(2)}`);
      expect(worst).toBeLessThan(1e-6);
    }
  });

  test('keep mono mono and channels apart', () => {
    const mono = timeStretch([sound[0], sound[0]], 1.2);
    expect(mono[1]).toBe(mono[0]);
    const shifted = pitchShift([sound[0], sound[0]], 1.2);
    expect(shifted[1]).toBe(shifted[0]);
    const silent = new Float32Array(SAMPLE_RATE);
    const [loud, quiet] = timeStretch([sound[0], silent], 1.2);
    expect(Math.max(...quiet.map(Math.abs))).toBeLessThan(1e-15);
    expect(Math.max(...loud.map((x, i) => Math.abs(x - (mono[0][i] ?? NaN))))).toBeLessThan(1e-7);
  });

  test('take any length from one sample, do not change their input, give the same twice', () => {
    for (const length of [1, 2, 100, 1023, 1024, 1025, 2048, 5000]) {
      const piece: Stereo = [sound[0].slice(0, length), sound[1].slice(0, length)];
      const before = piece.map((channel) => channel.slice());
      for (const rate of [0.5, 1.7]) {
        const out = timeStretch(piece, rate);
        expect(Math.abs(out[0].length - length / rate)).toBeLessThanOrEqual(0.5);
        expect(out.every((channel) => channel.every(Number.isFinite))).toBe(true);
        expect(timeStretch(piece, rate)).toEqual(out);
      }
      const shifted = pitchShift(piece, -3);
      expect(shifted.map((channel) => channel.length)).toEqual([length, length]);
      expect(shifted.every((channel) => channel.every(Number.isFinite))).toBe(true);
      expect(piece).toEqual(before);
    }
  });

  test.each([0, -1, NaN, Infinity, 9, 0.1])('refuse the rate %d', (rate) => {
    expect(() => timeStretch(sound, rate)).toThrow(
      `cannot stretch a sound by the rate ${rate}: it must lie within 1/8 and 8`,
    );
  });

  test.each([NaN, Infinity, -25, 24.1])('refuse %d semitones', (semitones) => {
    expect(() => pitchShift(sound, semitones)).toThrow(
      `cannot shift the pitch by ${semitones} semitones: it must lie within -24 and 24`,
    );
  });

  test('refuse an empty sound and unequal channels', () => {
    const empty: Stereo = [new Float32Array(), new Float32Array()];
    expect(() => timeStretch(empty, 1)).toThrow(
      /0 and 0 samples: left and right must be of one length, not empty/,
    );
    expect(() => pitchShift(empty, 1)).toThrow(/0 and 0 samples/);
    expect(() => timeStretch([sound[0], new Float32Array(5)], 1)).toThrow(/48000 and 5 samples/);
  });
});

describe('noise', () => {
  const sound = synthetic(1);
  sound[0].fill(0, 100, 5000);

  test('is normal with deviation 0.01, independent left and right, and leaves zeros', () => {
    const out = addNoise(sound, randomStream(1));
    const added = out.map((channel, c) => channel.map((x, i) => x - (sound[c]?.[i] ?? NaN)));
    expect(out[0].subarray(100, 5000).every((x) => x === 0)).toBe(true);
    const [left = new Float32Array(), right = new Float32Array()] = added.map((channel) =>
      channel.subarray(5000),
    );
    const product = left.reduce((sum, x, i) => sum + x * (right[i] ?? NaN), 0) / left.length;
    const within = left.filter((x) => Math.abs(x) < 0.01).length / left.length;
    const mean = left.reduce((sum, x) => sum + x, 0) / left.length;
    console.log(
      `rms ${rms(left)}, ${rms(right)}, mean ${mean}, within one deviation ${within}, correlation ${product * 1e4}`,
    );
    // Five standard errors of each statistic of 43,000 numbers.
    expect(Math.abs(rms(left) / 0.01 - 1)).toBeLessThan(5 / Math.sqrt(2 * left.length));
    expect(Math.abs(rms(right) / 0.01 - 1)).toBeLessThan(5 / Math.sqrt(2 * left.length));
    expect(Math.abs(mean) / 0.01).toBeLessThan(5 / Math.sqrt(left.length));
    expect(Math.abs(within - 0.6827)).toBeLessThan(5 * Math.sqrt((0.6827 * 0.3173) / left.length));
    expect(Math.abs(product * 1e4)).toBeLessThan(5 / Math.sqrt(left.length));
  });

  test('is the same from the same stream, and keeps odd lengths', () => {
    const piece: Stereo = [sound[0].slice(0, 7), sound[1].slice(0, 7)];
    const out = addNoise(piece, randomStream(2));
    expect(out).toEqual(addNoise(piece, randomStream(2)));
    expect(out).not.toEqual(addNoise(piece, randomStream(3)));
    expect(out.map((channel) => channel.length)).toEqual([7, 7]);
  });
});

describe('mix', () => {
  test('adds with two gains, and repeats or cuts the other', () => {
    const a: Stereo = [Float32Array.of(1, 2, 3, 4, 5), Float32Array.of(0, 0, 0, 0, 1)];
    const b: Stereo = [Float32Array.of(10, 20), Float32Array.of(-1, -2)];
    expect(mixSounds(a, b, 1, 0.5).map((c) => [...c])).toEqual([
      [6, 12, 8, 14, 10],
      [-0.5, -1, -0.5, -1, 0.5],
    ]);
    expect(mixSounds(b, a, 0.5, 1).map((c) => [...c])).toEqual([
      [6, 12],
      [-0.5, -1],
    ]);
    expect(() => mixSounds(a, [new Float32Array(), new Float32Array()], 1, 1)).toThrow(/with an empty one/);
  });
});

test('every file of operations/ is registered by its name', () => {
  const folder = new URL('../../../src/avsc/augment/sound/operations/', import.meta.url);
  const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ''));
  expect([...SOUND_OPERATION_NAMES].sort()).toEqual(names.sort());
  for (const { parameters } of Object.values(SOUND_OPERATIONS)) {
    for (const { drawn, allowed } of parameters) {
      expect(drawn[0]).toBeGreaterThanOrEqual(allowed[0]);
      expect(drawn[1]).toBeLessThanOrEqual(allowed[1]);
    }
  }
});
