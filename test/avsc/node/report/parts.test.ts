import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../../src/avsc/dataset/random.ts';
import { colorsOf } from '../../../../src/avsc/node/report/colors.ts';
import { lossCurve, movingMean, thin } from '../../../../src/avsc/node/report/curves.ts';
import { pickExamples } from '../../../../src/avsc/node/report/examples.ts';
import { dateText, duration, large } from '../../../../src/avsc/node/report/format.ts';
import { picturePng, spectrogramPng } from '../../../../src/avsc/node/report/pictures.ts';

describe('loss curves', () => {
  const step = (loss: number, i: number) => ({
    stage: 'audio',
    epoch: 1 + Math.floor(i / 100),
    step: (i % 100) + 1,
    lr: 1,
    loss,
  });

  it('keep every outlier of a long run', () => {
    const losses = Array.from({ length: 270_000 }, (_, i) =>
      i === 123_456 ? 99 : i === 200_001 ? -5 : 1 + (i % 7) / 10,
    );
    const points = lossCurve(losses.map(step));
    expect(points).toHaveLength(600);
    // 450 steps a point.
    const around = (at: number) => points.filter((point) => Math.abs(point.at - at) <= 226);
    expect(Math.max(...around(123_457).map(({ high }) => high))).toBe(99);
    expect(Math.min(...around(200_002).map(({ low }) => low))).toBe(-5);
    expect(points.filter(({ high }) => high > 2)).toHaveLength(1);
    expect(points[0]).toMatchObject({ at: 1, low: 1, high: 1.6 });
    expect(points.at(-1)).toMatchObject({ at: 270_000, epoch: 2700, step: 100 });
    for (const { at, loss, epoch, step } of points) {
      expect(loss).toBe(losses[at - 1]);
      expect(100 * (epoch - 1) + step).toBe(at);
    }
    expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).sort((a, b) => a - b));
  });

  it('keep the numbers of steps around losses that are not finite', () => {
    const points = lossCurve([1, NaN, 3, Infinity, 5].map(step));
    expect(points.map(({ at, loss }) => [at, loss])).toEqual([[1, 1], [3, 3], [5, 5]]); // prettier-ignore
  });

  it('are smoothed by a centered mean', () => {
    const random = randomStream('smooth', 1);
    const values = Array.from({ length: 50 }, random);
    const mean = (part: readonly number[]): number =>
      part.reduce((sum, value) => sum + value, 0) / part.length;
    for (const [i, value] of movingMean(values, 4).entries()) {
      const side = Math.min(4, i, 49 - i);
      expect(value).toBeCloseTo(mean(values.slice(i - side, i + side + 1)), 12);
    }
    expect(movingMean([], 3)).toEqual([]);
  });

  it('that are short stay whole', () => {
    const curve = lossCurve([3, 1, 2].map(step), 3);
    expect(curve.map(({ loss, low, high }) => [loss, low, high])).toEqual([[3, 3, 3], [1, 1, 1], [2, 2, 2]]); // prettier-ignore
    expect(thin([], 10)).toEqual([]);
    expect(thin([5, 1, 9, 4, 4, 6, 4, 0], 3)).toEqual([
      { index: 0, low: 1, high: 5 },
      { index: 3, low: 4, high: 9 },
      { index: 7, low: 0, high: 6 },
    ]);
  });
});

describe('examples', () => {
  const labels = Int32Array.from([0, 0, 1, 1, 2, 2]);
  const rows = [
    [0.8, 0.1, 0.1],
    [0.9, 0.1, 0.0],
    [0.1, 0.7, 0.2],
    [0.5, 0.3, 0.2],
    [0.9, 0.05, 0.05],
    [0.4, 0.2, 0.4],
  ];

  it('are the surest of different classes and the most wrong', () => {
    const pick = (names: string, right: number, wrong: number) =>
      pickExamples(Float64Array.from(rows.flat()), labels, Array.from(names), { classes: 3, right, wrong });
    const picked = pick('abcdef', 6, 9);
    expect(picked).toEqual([
      { index: 1, kind: 'right' },
      { index: 2, kind: 'right' },
      { index: 4, kind: 'wrong' },
      { index: 3, kind: 'wrong' },
      // Two probabilities are equal: the first is the prediction.
      { index: 5, kind: 'wrong' },
    ]);
    expect(pick('abcdef', 1, 1)).toEqual([
      { index: 1, kind: 'right' },
      { index: 4, kind: 'wrong' },
    ]);
    // Samples 3 and 4 are of one clip.
    expect(pick('abcddf', 0, 9)).toEqual([
      { index: 4, kind: 'wrong' },
      { index: 5, kind: 'wrong' },
    ]);
  });

  it('of no samples are none', () => {
    expect(
      pickExamples(new Float64Array(), new Int32Array(), [], { classes: 10, right: 6, wrong: 9 }),
    ).toEqual([]);
  });

  it('refuse sizes that disagree', () => {
    expect(() => pickExamples(new Float64Array(5), labels, [], { classes: 3, right: 1, wrong: 1 })).toThrow(
      '6 samples of 3 classes need 18 probabilities, got 5',
    );
  });
});

describe('pictures', () => {
  const decode = async (uri: string) => {
    const [head = '', data = ''] = uri.split(',');
    expect(head).toBe('data:image/png;base64');
    const { data: pixels, info } = await sharp(Buffer.from(data, 'base64'))
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number): number[] => [
      ...pixels.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3),
    ];
    return { width: info.width, height: info.height, at };
  };

  it('show low frequencies at the bottom, in the colors of magma', async () => {
    // Two mels of three frames: the first row is the lowest frequency.
    const { width, height, at } = await decode(
      await spectrogramPng(Float32Array.from([4, 2, 0, 0, NaN, 4]), 3, 2),
    );
    expect([width, height]).toEqual([6, 2]);
    expect(at(0, 1)).toEqual([0xfc, 0xfd, 0xbf]);
    expect(at(1, 1)).toEqual([0xfc, 0xfd, 0xbf]);
    expect(at(2, 1)).toEqual([0xb7, 0x37, 0x79]);
    expect(at(5, 1)).toEqual([0, 0, 4]);
    expect(at(2, 0)).toEqual([0, 0, 0]);
    expect(at(5, 0)).toEqual([0xfc, 0xfd, 0xbf]);
  });

  it('show silence', async () => {
    const { at } = await decode(await spectrogramPng(new Float32Array(128 * 39).fill(-18.4), 39, 4));
    expect(at(77, 64)).toEqual([0, 0, 4]);
  });

  it('are made of planes', async () => {
    const planes = Uint8Array.from([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
    const { width, height, at } = await decode(await picturePng(planes, 2));
    expect([width, height]).toEqual([2, 2]);
    expect([at(0, 0), at(1, 0), at(0, 1), at(1, 1)]).toEqual([
      [10, 50, 90],
      [20, 60, 100],
      [30, 70, 110],
      [40, 80, 120],
    ]);
  });

  it('stay small', async () => {
    const random = randomStream('noise', 1);
    const noise = Uint8Array.from({ length: 3 * 224 * 224 }, () => 256 * random());
    const uri = await picturePng(noise, 224);
    const { width, height } = await decode(uri);
    expect([width, height]).toEqual([160, 160]);
    // Noise does not compress: a byte a pixel, 4/3 in base64. 50 of these are 2 MB.
    expect(uri.length).toBeLessThan(40_000);
  });

  it('refuse sizes that disagree', async () => {
    await expect(picturePng(new Uint8Array(5), 2)).rejects.toThrow('[3, 2, 2] has 12 bytes, got 5');
    await expect(spectrogramPng(new Float32Array(7), 3, 1)).rejects.toThrow(
      '7 values are not rows of 3 frames',
    );
    await expect(spectrogramPng(new Float32Array(0), 3, 1)).rejects.toThrow('0 values');
    await expect(spectrogramPng(new Float32Array(6), 3, 1.5)).rejects.toThrow('whole number of pixels');
  });
});

describe('colors and numbers', () => {
  it('give a model the same color beside any others', () => {
    expect([...colorsOf(['audio', 'video', 'joint'])]).toEqual([['audio', 0], ['video', 1], ['joint', 2]]); // prettier-ignore
    expect([...colorsOf(['audio-fcnn', 'joint', 'video'])]).toEqual([['audio-fcnn', 0], ['joint', 2], ['video', 1]]); // prettier-ignore
    const many = colorsOf(Array.from({ length: 12 }, (_, i) => `net-${i}`));
    expect(Math.max(...many.values())).toBe(7);
  });

  it('are short', () => {
    expect([27_278_285, 22_090, 1234].map(large)).toEqual(['27.3 M', '22 k', '1,234']);
    expect([3.21, 250, 7500].map(duration)).toEqual(['3.2 s', '4 min 10 s', '2 h 05 min']);
    expect(dateText('2026-11-24T14:45:00Z')).toBe('24 November 2026, 14:45 UTC');
    expect(dateText('yesterday')).toBe('yesterday');
  });
});
