import { describe, expect, it } from 'vitest';
import { measure, softmaxRows } from '../../src/avsc/training/metrics.ts';

const NAMES = ['bus', 'park', 'tram'];

// Five samples: labels 0, 0, 1, 1, 1; predicted 0, 1, 1, 1, 2. No tram.
const PROBABILITIES = [0.7, 0.2, 0.1, 0.3, 0.5, 0.2, 0.1, 0.8, 0.1, 0.2, 0.6, 0.2, 0, 0.25, 0.75];
const LABELS = [0, 0, 1, 1, 1];

describe('measure', () => {
  it('gives the values worked out by hand', () => {
    const metrics = measure(PROBABILITIES, LABELS, NAMES);
    expect(metrics.count).toBe(5);
    expect(metrics.accuracy.overall).toBeCloseTo(3 / 5, 12);
    expect(metrics.accuracy.macro).toBeCloseTo((1 / 2 + 2 / 3) / 2, 12);
    const park = -(Math.log(0.8) + Math.log(0.6) + Math.log(0.25));
    const bus = -(Math.log(0.7) + Math.log(0.3));
    expect(metrics.logLoss).toBeCloseTo((bus + park) / 5, 12);
    expect(metrics.classes).toEqual([
      { name: 'bus', count: 2, accuracy: 0.5, logLoss: expect.closeTo(bus / 2, 12) as number },
      { name: 'park', count: 3, accuracy: 2 / 3, logLoss: expect.closeTo(park / 3, 12) as number },
      { name: 'tram', count: 0, accuracy: null, logLoss: null },
    ]);
    expect(metrics.confusion).toEqual([
      [1, 1, 0],
      [0, 2, 1],
      [0, 0, 0],
    ]);
  });

  it('takes an impossible true class for 1e-15', () => {
    expect(measure([1, 0, 0], [1], NAMES).logLoss).toBeCloseTo(-Math.log(1e-15), 9);
  });

  it('refuses what cannot be measured', () => {
    expect(() => measure([], [], NAMES)).toThrow('at least one sample');
    expect(() => measure([1, 0], [0], NAMES)).toThrow('need 3 probabilities, got 2');
    expect(() => measure([1, 0, 0], [-1], NAMES)).toThrow('label -1 of sample 0');
    expect(() => measure([NaN, 0, 0], [0], NAMES)).toThrow('bus in sample 0 is NaN');
  });
});

describe('softmaxRows', () => {
  it('is exact for large logits', () => {
    const [a = 0, b = 0, c = 0] = softmaxRows([1000, 1000 + Math.log(2), -1000], 3);
    expect(a).toBeCloseTo(1 / 3, 12);
    expect(b).toBeCloseTo(2 / 3, 12);
    expect(c).toBe(0);
    expect(() => softmaxRows([1, 2], 3)).toThrow('not rows of 3');
  });
});
