import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { augmentFeatures } from '../../../src/avsc/augment/features/augment.ts';
import { augmentRow } from '../../../src/avsc/augment/features/host.ts';
import { drawRatio, mixRows } from '../../../src/avsc/augment/features/mix.ts';
import {
  drawFeatureRow,
  PAPER_FEATURES,
  type FeatureShape,
} from '../../../src/avsc/augment/features/policy.ts';
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import { sum, type Device } from '../../../src/index.ts';
import { FEATURE_WORDS } from '../../../src/kernels/features.ts';
import { testDevice } from '../../support/engine.ts';
import { normal } from '../../support/hash.ts';

describe.each(['cpu', 'gpu'] as const)('features on the device, %s variant', (kind) => {
  let device: Device;
  beforeAll(async () => (device = await testDevice({ kind })));
  afterAll(() => device.destroy());

  it.each<FeatureShape>([
    [6, 128, 39],
    [2, 11, 5],
  ])('are those of the host: %i x %i x %i', async (...shape) => {
    const [rows, count] = [6, 4];
    const values = shape.reduce((product, size) => product * size, 1);
    const x = normal('features', rows * values);
    const policy = { specAugment: { mask: 0.4 }, channelConfusion: 0.5 };
    const tables = Array.from({ length: rows }, (_, row) => drawFeatureRow(policy, shape, randomStream(row)));
    const mix = { partner: Int32Array.of(4, 1, 0, 5), ratio: Float32Array.of(0.3, 1, 0.75, 0) };
    const features = device.tensor(x, [rows, ...shape]);
    const table = device.tensor(Int32Array.from(tables.flatMap((row) => [...row])), [
      rows,
      shape[0],
      FEATURE_WORDS,
    ]);
    const plain = await augmentFeatures(features, table, null).data();
    const host = tables.map((row, r) => augmentRow(x.subarray(r * values), row, shape));
    expect(host.flatMap((row) => [...row])).toEqual([...plain]);
    expect(new Set(tables.map((row) => row[0]))).toEqual(new Set([0, 1]));
    const partner = device.tensor(mix.partner);
    const mixed = await augmentFeatures(features, table, { partner, ratio: device.tensor(mix.ratio) }).data();
    let worst = 0;
    for (let i = 0; i < count * values; i++) {
      const row = Math.floor(i / values);
      const ratio = mix.ratio[row] ?? 0;
      const [own, other] = [row, mix.partner[row] ?? 0].map((r) => host[r]?.[i % values] ?? Number.NaN);
      const want = ratio * (own ?? 0) + (1 - ratio) * (other ?? 0);
      worst = Math.max(worst, Math.abs((mixed[i] ?? Number.NaN) - want));
    }
    console.log(`mixed features: largest error ${worst}`);
    // Three roundings of numbers below 8.
    expect(worst).toBeLessThanOrEqual(3 * 2 ** -22);
  });

  it('mixes rows with a gradient to both', async () => {
    const x = device.tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      { requiresGrad: true },
    );
    const mix = { partner: device.tensor(Int32Array.of(2, 1)), ratio: device.tensor([0.25, 1]) };
    const y = mixRows(x, mix);
    expect([...(await y.data())]).toEqual([4, 5, 3, 4]);
    sum(
      y.mul(
        device.tensor([
          [1, 10],
          [100, 1000],
        ]),
      ),
    ).backward();
    expect([...((await x.grad?.data()) ?? [])]).toEqual([0.25, 2.5, 100, 1000, 0.75, 7.5]);
  });

  it('refuses what does not fit', () => {
    const features = device.tensor(new Float32Array(12), [2, 2, 3, 1]);
    const table = device.tensor(new Int32Array(20), [2, 2, FEATURE_WORDS]);
    const ratio = device.tensor([1, 1]);
    expect(() => augmentFeatures(features, device.tensor(new Int32Array(10), [1, 2, 5]), null)).toThrow(
      'augmentFeatures takes a table of i32 [2, 2, 5], got i32 [1, 2, 5]',
    );
    expect(() =>
      augmentFeatures(features, table, { partner: device.tensor(Int32Array.of(0, 2)), ratio }),
    ).toThrow('augmentFeatures: partner 2 is outside 0 to 1');
    expect(() => mixRows(features, { partner: device.tensor(Int32Array.of(0)), ratio })).toThrow(
      'mixRows takes ratios of f32 [1], as many as partners, got f32 [2]',
    );
  });
});

describe('what is drawn for features', () => {
  const shape = [6, 128, 39] as const;
  const rows = Array.from({ length: 4000 }, (_, i) =>
    drawFeatureRow(PAPER_FEATURES, shape, randomStream(1, i)),
  );

  it('swaps the channels of half of the rows, all or none of a row', () => {
    const orders = rows.map((row) => Array.from({ length: 6 }, (_, c) => row[c * FEATURE_WORDS]).join());
    const swapped = orders.filter((order) => order === '1,0,3,2,5,4').length;
    expect(orders.every((order) => order === '1,0,3,2,5,4' || order === '0,1,2,3,4,5')).toBe(true);
    expect(Math.abs(swapped - 2000)).toBeLessThan(4 * Math.sqrt(1000));
  });

  it('masks up to a tenth of each dimension, each width alike', () => {
    for (const [at, size, most] of [
      [1, 128, 12],
      [3, 39, 3],
    ] as const) {
      const counts = new Array<number>(most + 1).fill(0);
      const places = new Set<number>();
      for (const row of rows) {
        for (let c = 0; c < 6; c++) {
          const [start = -1, end = -1] = row.subarray(c * FEATURE_WORDS + at);
          expect(start >= 0 && end <= size && end >= start).toBe(true);
          counts[end - start] = (counts[end - start] ?? 0) + 1;
          for (let place = start; place < end; place++) places.add(place);
        }
      }
      const expected = (rows.length * 6) / (most + 1);
      const chi2 = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
      expect(counts.length).toBe(most + 1);
      // Mean `most` and variance 2 most; six deviations.
      expect(chi2).toBeLessThan(most + 6 * Math.sqrt(2 * most));
      expect(places.size).toBe(size);
    }
  });

  it('is nothing without a policy, and refuses one that cannot be', () => {
    const none = drawFeatureRow({ specAugment: null, channelConfusion: 0 }, [3, 4, 5], randomStream(1));
    for (let c = 0; c < 3; c++) expect(none[c * FEATURE_WORDS]).toBe(c);
    expect(none[1]).toBe(none[2]);
    expect(() => drawFeatureRow(PAPER_FEATURES, [3, 4, 5], randomStream(1))).toThrow('there are 3 channels');
    expect(() =>
      drawFeatureRow({ specAugment: { mask: 2 }, channelConfusion: 0 }, shape, randomStream(1)),
    ).toThrow('got 2');
  });

  it('draws ratios from Beta(alpha, alpha)', () => {
    const count = 20_000;
    const draws = Float64Array.from({ length: count }, (_, i) =>
      drawRatio({ alpha: 0.4 }, randomStream(5, i)),
    ).sort();
    const mean = draws.reduce((total, v) => total + v, 0) / count;
    const variance = draws.reduce((total, v) => total + (v - mean) ** 2, 0) / count;
    // 1 / (4 (2 alpha + 1)).
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / 1.8 / count));
    expect(Math.abs(variance / (0.25 / 1.8) - 1)).toBeLessThan(0.03);
    const distribution = betaDistribution(0.4);
    // scipy.stats.beta.cdf([0.01, 0.3], 0.4, 0.4)
    expect(distribution(0.01)).toBeCloseTo(0.09391619, 5);
    expect(distribution(0.3)).toBeCloseTo(0.38750143, 5);
    const distance = draws.reduce((worst, v, i) => {
      const f = distribution(v);
      return Math.max(worst, Math.abs(f - i / count), Math.abs(f - (i + 1) / count));
    }, 0);
    console.log(`Kolmogorov-Smirnov distance ${distance}, times sqrt(n) ${distance * Math.sqrt(count)}`);
    // Exceeded with probability 1e-3.
    expect(distance * Math.sqrt(count)).toBeLessThan(1.95);
  });

  it('takes a fixed ratio, and refuses what is none', () => {
    expect(drawRatio({ fixed: 0.2 }, randomStream(1))).toBe(0.2);
    expect(() => drawRatio({ fixed: 1.2 }, randomStream(1))).toThrow('got 1.2');
    expect(() => drawRatio({ alpha: 0 }, randomStream(1))).toThrow('got 0');
  });
});

/**
 * Cumulative distribution of Beta(a, a) by the midpoint rule. With x = sin(t)^2 the density is sin(2 t)^(2 a - 1), and it is bounded in u
 * with t = pi / 4 u^(1 / (2 a)), which reaches x = 1/2.
 */
function betaDistribution(a: number): (x: number) => number {
  const steps = 200_000;
  const total = new Float64Array(steps + 1);
  for (let i = 0; i < steps; i++) {
    const t = ((i + 0.5) / steps) ** (1 / (2 * a)) * (Math.PI / 4);
    const weight = Math.sin(2 * t) ** (2 * a - 1) * t ** (1 - 2 * a);
    total[i + 1] = (total[i] ?? 0) + weight;
  }
  const half = (x: number): number => {
    const at = (Math.asin(Math.sqrt(x)) / (Math.PI / 4)) ** (2 * a) * steps;
    const [low, rest] = [Math.floor(at), at - Math.floor(at)];
    const [from = 0, to = from] = total.subarray(low);
    return (from + rest * (to - from)) / (2 * (total[steps] ?? 1));
  };
  return (x) => (x <= 0.5 ? half(x) : 1 - half(1 - x));
}
