import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdapterProfile } from '../../src/gpu/profile.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { dropout, dropoutThreshold, randomFill } from '../../src/kernels/random.ts';
import { dropout as dropoutOf } from '../../src/index.ts';
import { bitsAt, Generator, manualSeed, pcg4d, uniformAt } from '../../src/tensor/graph/random.ts';
import { testGpu } from '../support/device.ts';
import { testDevice } from '../support/engine.ts';
import { normal } from '../support/hash.ts';
import { contextOf, VARIANTS } from './compare.ts';
import { buffer, runDispatches } from './run.ts';

const [SEED, STEP] = [0xdeadbeef, 41];
const scalars = (): Float32Array<ArrayBuffer> => new Float32Array(Uint32Array.of(SEED, STEP).buffer);

function moments(values: ArrayLike<number>): { mean: number; variance: number } {
  const list = Array.from(values);
  const mean = list.reduce((sum, v) => sum + v, 0) / list.length;
  return { mean, variance: list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length };
}

/** pcg4d of the paper, in exact integers. */
function exactPcg4d(counter: readonly number[]): number[] {
  const wrap = (v: bigint): bigint => BigInt.asUintN(32, v);
  let [x = 0n, y = 0n, z = 0n, w = 0n] = counter.map((c) => wrap(BigInt(c) * 1664525n + 1013904223n));
  const round = (): void => {
    x = wrap(x + y * w);
    y = wrap(y + z * x);
    z = wrap(z + x * y);
    w = wrap(w + y * z);
  };
  round();
  [x, y, z, w] = [x ^ (x >> 16n), y ^ (y >> 16n), z ^ (z >> 16n), w ^ (w >> 16n)];
  round();
  return [x, y, z, w].map(Number);
}

describe.each(VARIANTS)(
  'random kernels, $kind variant, params baked: $bakeParams',
  ({ kind, bakeParams }) => {
    let gpu: Gpu;
    let geometry: AdapterProfile;
    beforeAll(async () => {
      gpu = await testGpu({ bakeParams });
      ({ geometry } = contextOf(gpu, kind));
    });
    afterAll(() => {
      gpu.destroy();
    });

    it.each([1, 6, 1024])('uniform draws are bit for bit those of the host, %i elements', async (length) => {
      const y = buffer(length);
      const results = await runDispatches(gpu, [randomFill(geometry, 'uniform', y, 5)], new Map(), scalars());
      const host = Float32Array.from({ length }, (_, e) => uniformAt(SEED, STEP, 5, e));
      expect(results.get(y)).toEqual(host);
    });

    it('normal draws are those of Box and Muller from the same bits', async () => {
      const length = 40_002;
      const y = buffer(length);
      const results = await runDispatches(gpu, [randomFill(geometry, 'normal', y, 9)], new Map(), scalars());
      const drawn = results.get(y) ?? [];
      const worst = Array.from(drawn, (value, e) => {
        const first = e - (e % 2);
        const radius = Math.sqrt(-2 * Math.log(1 - uniformAt(SEED, STEP, 9, first)));
        const angle = 2 * Math.PI * uniformAt(SEED, STEP, 9, first + 1);
        return Math.abs(value - radius * (e % 2 === 0 ? Math.cos(angle) : Math.sin(angle)));
      }).reduce((a, b) => Math.max(a, b), 0);
      const { mean, variance } = moments(drawn);
      console.log(
        `normal, ${kind}: off by ${worst.toExponential(1)}, mean ${mean.toFixed(4)}, variance ${variance.toFixed(4)}`,
      );
      // WGSL allows sin and cos an absolute error of 2^-11; drivers do much better.
      expect(worst).toBeLessThan(2e-3);
      expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(length));
      expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / length));
    });

    it.each([
      { length: 7, p: 0.5 },
      { length: 4096, p: 0.3 },
      { length: 12, p: 1 },
    ])('dropout of $length with p = $p keeps what the host says, also later on', async ({ length, p }) => {
      const values = Float32Array.from(normal('x', length));
      const [x, y, again] = [buffer(length), buffer(length), buffer(length)];
      const results = await runDispatches(
        gpu,
        [
          dropout(geometry, x, y, { p, op: 3 }),
          dropout(geometry, x, again, { p, op: 3, past: { seed: SEED, step: STEP } }),
        ],
        new Map([[x, values]]),
        scalars(),
      );
      const scale = Math.fround(p < 1 ? 1 / (1 - p) : 0);
      const kept = Array.from(values, (_, e) => bitsAt(SEED, STEP, 3, e) >>> 8 >= dropoutThreshold(p));
      expect(results.get(y)).toEqual(values.map((v, e) => (kept[e] === true ? v * scale : 0)));
      expect(results.get(again)).toEqual(results.get(y));
      const share = kept.filter(Boolean).length / length;
      expect(Math.abs(share - (1 - p))).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / length));
    });
  },
);

describe('dropout as an op', () => {
  it.each(['in the same run', 'in a later run'])('its gradient has the mask of forward, %s', async (when) => {
    const device = await testDevice();
    const x = device.tensor(new Float32Array(1000).fill(1), [1000], { requiresGrad: true });
    // Another run and another random op first, so that neither step nor op is 0.
    await dropoutOf(x).data();
    dropoutOf(x);
    const y = dropoutOf(x, { p: 0.4 });
    const before = when === 'in a later run' ? await y.data() : undefined;
    y.backward(device.tensor(new Float32Array(1000).fill(1)));
    const gradient = await x.grad?.data();
    expect(gradient).toEqual(before ?? (await y.data()));
    expect(new Set(gradient)).toEqual(new Set([0, Math.fround(1 / 0.6)]));
    await device.destroy();
  });

  it('is the identity without training, and refuses what is no probability', async () => {
    const device = await testDevice();
    const x = device.tensor([1, 2]);
    expect(dropoutOf(x, { training: false })).toBe(x);
    expect(() => dropoutOf(x, { p: 1.5 })).toThrow('dropout: p must be a number of 0 to 1, got 1.5');
    await device.destroy();
  });
});

describe('pcg4d and the generator on the host', () => {
  it('is the published hash', () => {
    const counters: [number, number, number, number][] = [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
      [0xffffffff, 0x80000000, 0x7fffffff, 12345],
    ];
    for (const counter of counters) expect(pcg4d(...counter)).toEqual(exactPcg4d(counter));
  });

  it('draws from the distributions it names', () => {
    const generator = new Generator(3);
    const draw = (one: () => number): { mean: number; variance: number } =>
      moments(Float64Array.from({ length: 20_000 }, one));
    const near = ({ mean, variance }: { mean: number; variance: number }, m: number, v: number): void => {
      expect(Math.abs(mean - m)).toBeLessThan(4 * Math.sqrt(v / 20_000));
      expect(Math.abs(variance / v - 1)).toBeLessThan(0.08);
    };
    near(
      draw(() => generator.uniform(2, 4)),
      3,
      4 / 12,
    );
    near(
      draw(() => generator.normal(1, 2)),
      1,
      4,
    );
    near(
      draw(() => generator.integer(6)),
      2.5,
      35 / 12,
    );
    near(
      draw(() => generator.gamma(0.4)),
      0.4,
      0.4,
    );
    near(
      draw(() => generator.gamma(5)),
      5,
      5,
    );
    near(
      draw(() => generator.beta(0.4, 0.4)),
      0.5,
      0.25 / 1.8,
    );
    near(
      draw(() => generator.beta(2, 6)),
      0.25,
      12 / (64 * 9),
    );
  });

  it('permutes evenly and completely', () => {
    const generator = new Generator(1);
    const firsts = new Array<number>(5).fill(0);
    for (let i = 0; i < 5000; i++) {
      const order = generator.permutation(5);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4]);
      const first = order[0] ?? 0;
      firsts[first] = (firsts[first] ?? 0) + 1;
    }
    for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(4 * Math.sqrt(800));
  });

  it('goes on from its state, and forks by name alone', () => {
    const generator = new Generator(9);
    const fork = generator.fork('weights').bits();
    generator.normal();
    const { state } = generator;
    const next = [generator.bits(), generator.bits()];
    generator.restore(state);
    expect([generator.bits(), generator.bits()]).toEqual(next);
    expect(generator.fork('weights').bits()).toBe(fork);
    expect(generator.fork('shuffle').bits()).not.toBe(fork);
  });

  it('refuses seeds that are no u32', () => {
    expect(() => {
      manualSeed(-1);
    }).toThrow('got -1');
    expect(() => new Generator(0.5)).toThrow('got 0.5');
  });
});
