import { describe, expect, it } from 'vitest';
import { constant, cosine, cosineWarmRestarts, stepDecay } from '../../src/nn/schedule.ts';

describe('schedules', () => {
  it('stays constant', () => {
    expect([0, 7.5, 1e6].map(constant(1e-5))).toEqual([1e-5, 1e-5, 1e-5]);
  });

  it('decays in steps', () => {
    const schedule = stepDecay(0.1, { every: 30, gamma: 0.1 });
    expect(schedule(29.99)).toBe(0.1);
    expect(schedule(30)).toBeCloseTo(0.01, 15);
    expect(schedule(89)).toBeCloseTo(0.001, 15);
    expect(() => stepDecay(0.1, { every: 0 })).toThrow('every must be positive, got 0');
  });

  it('anneals by half a cosine and stays there', () => {
    const schedule = cosine(1, { length: 10, minLr: 0.2 });
    expect(schedule(0)).toBe(1);
    expect(schedule(5)).toBeCloseTo(0.6, 12);
    expect(schedule(2.5)).toBeCloseTo(0.2 + 0.4 * (1 + Math.SQRT1_2), 12);
    expect(schedule(10)).toBeCloseTo(0.2, 12);
    expect(schedule(11)).toBeCloseTo(0.2, 12);
  });

  it('restarts when epochs 3, 7, 15, 31, 63 and 127 begin', () => {
    const schedule = cosineWarmRestarts(0.1);
    for (const epoch of [3, 7, 15, 31, 63, 127]) {
      expect(schedule(epoch - 1)).toBe(0.1);
      expect(schedule(epoch - 1 - 1e-6)).toBeCloseTo(1e-5, 9);
    }
    expect(schedule(1)).toBeCloseTo((0.1 + 1e-5) / 2, 12); // half of the first cycle
    expect(schedule(10)).toBeCloseTo((0.1 + 1e-5) / 2, 12); // half of epochs 7 to 15
    expect(schedule(126 + 128)).toBeCloseTo(1e-5, 12);
    expect(schedule(1000)).toBeCloseTo(1e-5, 12);
  });

  it('refuses restarts that do not increase', () => {
    expect(() => cosineWarmRestarts(0.1, { restarts: [3, 3] })).toThrow('got [3, 3]');
    expect(() => cosineWarmRestarts(0.1, { restarts: [] })).toThrow('restarts must be');
    expect(() => cosineWarmRestarts(0.1, { restarts: [1] })).toThrow('restarts must be');
  });
});
