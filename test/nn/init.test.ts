import { describe, expect, it } from 'vitest';
import { fanInOf, heNormal, kaimingUniform, normal, ones, uniform, zeros } from '../../src/nn/init.ts';

function moments(values: Float32Array): { mean: number; variance: number; largest: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  return { mean, variance, largest: values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) };
}

describe('init', () => {
  const shape = [144, 96, 3, 3];
  const fanIn = 96 * 9;

  it('knows the fan in', () => {
    expect(fanInOf(shape)).toBe(fanIn);
    expect(fanInOf([10, 512])).toBe(512);
  });

  it('is constant where it should be', () => {
    expect([...zeros([2, 2], 1)]).toEqual([0, 0, 0, 0]);
    expect([...ones([3], 1)]).toEqual([1, 1, 1]);
  });

  it('has the moments of the distribution, within 4 standard errors', () => {
    const count = 144 * fanIn;
    const he = moments(heNormal(shape, 7));
    const variance = 2 / fanIn;
    expect(Math.abs(he.mean)).toBeLessThan(4 * Math.sqrt(variance / count));
    expect(Math.abs(he.variance / variance - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    const bound = 1 / Math.sqrt(fanIn);
    const kaiming = moments(kaimingUniform(shape, 7));
    expect(kaiming.largest).toBeLessThanOrEqual(bound);
    expect(kaiming.largest).toBeGreaterThan(0.999 * bound);
    expect(Math.abs(kaiming.mean)).toBeLessThan((4 * bound) / Math.sqrt(3 * count));
    expect(Math.abs(kaiming.variance / (bound ** 2 / 3) - 1)).toBeLessThan(4 * Math.sqrt(0.8 / count));
    console.log(
      `init: variance he ${he.variance / variance}, kaiming ${(3 * kaiming.variance) / bound ** 2} of what it should be`,
    );
  });

  it('is normal in its tails and never infinite', () => {
    const values = normal(1)([1_000_001], 3);
    const beyond = values.filter((v) => Math.abs(v) > 2).length / values.length;
    expect(beyond).toBeCloseTo(0.0455, 3);
    expect(values.every(Number.isFinite)).toBe(true);
    // Neighbours come from one hash: they must not be correlated.
    const correlation = values.reduce((sum, v, i) => sum + v * (values[i + 1] ?? 0), 0) / values.length;
    expect(Math.abs(correlation)).toBeLessThan(4e-3);
  });

  it('depends on the seed alone', () => {
    expect(uniform(1)([9], 5)).toEqual(uniform(1)([9], 5));
    expect(uniform(1)([9], 5)).not.toEqual(uniform(1)([9], 6));
    expect([...uniform(1)([9], 5)].slice(0, 5)).toEqual([...uniform(1)([5], 5)]);
  });
});
