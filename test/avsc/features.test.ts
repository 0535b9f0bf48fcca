// Features against a numpy float64 reference (tools/features_reference.py wrote the fixtures).

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../../src/avsc/audio/clip.ts';
import { decodeWav } from '../../src/avsc/audio/wav.ts';
import { melFilterBank } from '../../src/avsc/features/mel.ts';
import { LogMelExtractor, logMelFeatures, type LogMelFeatures } from '../../src/avsc/features/logmel.ts';
import { synthetic } from '../support/synthetic_sound.ts';

interface Summary {
  frames: number;
  every: number;
  spots: number[];
  mean: number[];
  rms: number[];
}

interface Case {
  samples: number;
  whole: Summary;
  seconds: Record<string, Summary>;
  secondsClipScaled: Record<string, Summary>;
}

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/features/${name}`, import.meta.url), 'utf8'));

const RECORDINGS = new URL('../../../shared/data/tau-mini/audio/', import.meta.url);
const TOLERANCE = 1e-4;

/** Largest absolute difference over spot values, and over each channel's mean and root mean square. */
function distance({ data, shape }: LogMelFeatures, expected: Summary): number {
  expect(shape).toEqual([6, 128, expected.frames]);
  const spots = data.filter((_, i) => i % expected.every === 0);
  expect(spots).toHaveLength(expected.spots.length);
  const size = 128 * expected.frames;
  const actual = [...spots];
  const wanted = [...expected.spots, ...expected.mean, ...expected.rms];
  const channels = Array.from({ length: 6 }, (_, c) => data.subarray(c * size, (c + 1) * size));
  actual.push(...channels.map((values) => values.reduce((sum, v) => sum + v, 0) / size));
  actual.push(...channels.map((values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / size)));
  return Math.max(...actual.map((value, i) => Math.abs(value - (wanted[i] ?? NaN))));
}

function compare(extractor: LogMelExtractor, clip: Stereo, expected: Case): Record<string, number> {
  expect(clip[0]).toHaveLength(expected.samples);
  const bySample = extractor.seconds(clip);
  const byClip = extractor.seconds(clip, 'clip');
  expect(bySample).toHaveLength(10);
  const worst = (features: LogMelFeatures[], summaries: Record<string, Summary>): number =>
    Math.max(
      ...Object.entries(summaries).map(([second, summary]) => {
        const found = features[Number(second)];
        return found ? distance(found, summary) : NaN;
      }),
    );
  return {
    whole: distance(extractor.extract(clip), expected.whole),
    sample: worst(bySample, expected.seconds),
    clip: worst(byClip, expected.secondsClipScaled),
  };
}

function report(name: string, errors: Record<string, number>): void {
  const shown = Object.entries(errors).map(([scaling, error]) => `${scaling} ${error.toExponential(1)}`);
  console.log(`features of ${name}, max abs error: ${shown.join(', ')}`);
}

describe('mel filter bank', () => {
  test('is the reference’s: sum 1009.1397, none empty, filter 10 over two bins', () => {
    const expected = fixture('mel.json') as { sum: number; rowSums: number[]; peaks: number[] };
    const filters = melFilterBank(128, 2048, SAMPLE_RATE);
    const sums = filters.map(({ weights }) => weights.reduce((sum, w) => sum + w, 0));
    const total = sums.reduce((sum, s) => sum + s, 0);
    console.log(`mel filter bank: sum ${total.toFixed(4)}, numpy ${expected.sum.toFixed(4)}`);
    expect(total).toBeCloseTo(1009.1397, 4);
    sums.forEach((sum, i) => expect(sum).toBeCloseTo(expected.rowSums[i] ?? NaN, 9));
    expect(Math.min(...sums)).toBeGreaterThan(0);
    expect(filters.map(({ start, weights }) => start + weights.indexOf(Math.max(...weights)))).toEqual(
      expected.peaks,
    );
    const tenth = filters[10];
    expect(tenth?.start).toBe(10);
    expect([...(tenth?.weights ?? [])].map((w) => w.toFixed(6))).toEqual(['0.451217', '0.651664']);
  });
});

describe('log-mel features', () => {
  const extractor = new LogMelExtractor();

  test('of a synthetic clip agree with numpy, over the second and over the clip', () => {
    const errors = compare(extractor, synthetic(), fixture('synthetic.json') as Case);
    report('the synthetic clip', errors);
    expect(Math.max(...Object.values(errors))).toBeLessThanOrEqual(TOLERANCE);
  });

  describe.skipIf(!existsSync(RECORDINGS))(
    'of real recordings (skipped where ../shared/data/tau-mini is absent)',
    () => {
      const cases = Object.entries(
        existsSync(RECORDINGS) ? (fixture('tau-mini.json') as Record<string, Case>) : {},
      );
      test.each(cases)('%s agrees with numpy', (name, expected) => {
        const wav = decodeWav(readFileSync(new URL(name, RECORDINGS)));
        expect(wav.sampleRate).toBe(SAMPLE_RATE);
        const errors = compare(extractor, toStereo(wav.channels), expected);
        report(name, errors);
        expect(Math.max(...Object.values(errors))).toBeLessThanOrEqual(TOLERANCE);
      });
    },
  );

  test('do not depend on what the extractor saw before, and match the one-shot call', () => {
    const clip = synthetic(2);
    const second: Stereo = [clip[0].subarray(SAMPLE_RATE), clip[1].subarray(SAMPLE_RATE)];
    const fresh = logMelFeatures(second, SAMPLE_RATE);
    extractor.extract(clip);
    expect(extractor.extract(second)).toEqual(fresh);
    expect(extractor.seconds(clip)[1]).toEqual(fresh);
  });

  test('scale the statics of a second to [0, 1] over both channels together', () => {
    const [left, right] = synthetic(1);
    const { data } = extractor.extract([left, right.map((x) => x / 100)]);
    const size = 128 * 39;
    const [l, r] = [data.subarray(0, size), data.subarray(size, 2 * size)];
    expect(Math.max(...l)).toBeLessThanOrEqual(1);
    expect(Math.max(...l)).toBeGreaterThan(0.9);
    expect(Math.min(...r)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...r)).toBeLessThan(Math.max(...l));
  });

  test('of mono are alike left and right; swapping the channels swaps the maps', () => {
    const [left, right] = synthetic(1);
    const size = 128 * 39;
    const map = (features: LogMelFeatures, c: number): Float32Array =>
      features.data.subarray(c * size, (c + 1) * size);
    const mono = extractor.extract(toStereo([left]));
    expect(map(mono, 0)).toEqual(map(mono, 1));
    const ab = extractor.extract([left, right]);
    const ba = extractor.extract([right, left]);
    expect([1, 0, 3, 2, 5, 4].map((c) => map(ba, c))).toEqual([0, 1, 2, 3, 4, 5].map((c) => map(ab, c)));
    expect(map(ab, 0)).not.toEqual(map(ab, 1));
  });

  test('of silence are zeros, not NaN', () => {
    const silence = new Float32Array(SAMPLE_RATE);
    expect(extractor.extract([silence, silence]).data.every((x) => x === 0)).toBe(true);
  });

  test('take lengths from 8192 samples, and say so below', () => {
    const of = (length: number): Stereo => [new Float32Array(length), new Float32Array(length)];
    expect(extractor.frames(SAMPLE_RATE)).toBe(39);
    expect(extractor.frames(10 * SAMPLE_RATE)).toBe(461);
    expect(extractor.extract(of(8192)).shape).toEqual([6, 128, 1]);
    expect(() => extractor.extract(of(8191))).toThrow(/8191 samples are too short .* 8192 are needed/);
    expect(() => extractor.extract([new Float32Array(9000), new Float32Array(9001)])).toThrow(
      /9000 and 9001/,
    );
    expect(() => logMelFeatures(of(9000), 44100)).toThrow(/want sound at 48000 Hz, got 44100 Hz/);
  });
});

describe('secondsOf', () => {
  const clip = (length: number): Stereo => {
    const ramp = Float32Array.from({ length }, (_, i) => i);
    return [ramp, ramp.map((x) => -x)];
  };
  test('cuts views and leaves a rest out', () => {
    const sound = clip(2.5 * SAMPLE_RATE);
    const seconds = secondsOf(sound);
    expect(seconds.map(([l, r]) => [l.length, r.length])).toEqual([
      [48000, 48000],
      [48000, 48000],
    ]);
    expect(seconds[1]?.[0].buffer).toBe(sound[0].buffer);
    expect(seconds[1]?.[1][5]).toBe(-48005);
  });

  test('completes a second that lacks up to 10 ms by mirroring', () => {
    const last = secondsOf(clip(2 * SAMPLE_RATE - 2))[1]?.[0];
    expect([...(last?.slice(-4) ?? [])]).toEqual([95996, 95997, 95996, 95995]);
    expect(secondsOf(clip(SAMPLE_RATE - 480))).toHaveLength(1);
    expect(secondsOf(clip(SAMPLE_RATE - 481))).toHaveLength(0);
    expect(secondsOf(clip(SAMPLE_RATE + 1))).toHaveLength(1);
  });

  test('toStereo doubles mono, takes the front pair, refuses nothing and unequal channels', () => {
    const [a, b, c] = [new Float32Array(3), new Float32Array(3), new Float32Array(3)];
    expect(toStereo([a])[1]).toBe(a);
    expect(toStereo([a, b, c])).toEqual([a, b]);
    expect(() => toStereo([])).toThrow(/at least one channel/);
    expect(() => toStereo([a, new Float32Array(4)])).toThrow(/3 and 4 samples/);
  });
});
