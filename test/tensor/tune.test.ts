import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROFILES } from '../../src/gpu/profile.ts';
import { NOTHING_TUNED, type TunedProduct } from '../../src/gpu/tuned.ts';
import { avgPool2d, batchNorm2d, conv2d, matmul, relu, type Device, type Tensor } from '../../src/index.ts';
import type { Tunable, TunedChoice } from '../../src/kernels/context.ts';
import { admitGemm, gemmKernels, gemmNear } from '../../src/kernels/gemm_candidates.ts';
import { chooseGemm } from '../../src/kernels/gemm_choice.ts';
import { tune, type TuneSummary } from '../../src/tensor/tune/tune.ts';
import { hashOf } from '../../src/kernels/tunable.ts';
import { relativeError } from '../kernels/compare.ts';
import { testContext } from '../kernels/run.ts';
import { testDevice } from '../support/engine.ts';
import { normal } from '../support/hash.ts';
import { FULL } from '../support/scale.ts';

/** A training step of a small net, with a fused convolution in both directions and split sums. */
function makeStep(device: Device) {
  const tensor = (name: string, shape: readonly number[], requiresGrad: boolean): Tensor =>
    device.tensor(
      new Float32Array(
        normal(
          name,
          shape.reduce((all, size) => all * size, 1),
        ),
      ),
      shape,
      { requiresGrad },
    );
  const x = tensor('x', [3, 9, 10, 10], false);
  const leaves = [
    tensor('w1', [18, 9, 1, 1], true),
    tensor('scale', [18], true),
    tensor('shift', [18], true),
    tensor('w2', [7, 18, 3, 3], true),
    tensor('w3', [7, 5], true),
  ] as const;
  const [w1, weight, bias, w2, w3] = leaves;
  const run = (): Tensor => {
    for (const leaf of leaves) leaf.clearGrad();
    const hidden = relu(batchNorm2d(conv2d(x, w1, null, {}), { weight, bias, training: true }));
    const map = avgPool2d(conv2d(hidden, w2, null, { padding: 1 }), { kernelSize: 10 });
    const y = matmul(map.reshape([3, 7]), w3);
    y.backward(y.detach());
    return y;
  };
  const gradients = async (): Promise<ArrayLike<number>[]> =>
    Promise.all(leaves.map(async ({ grad }) => (await grad?.data()) ?? []));
  return { step: device.compile(run), compile: () => device.compile(run), gradients };
}

const same = (a: TunedChoice, b: TunedChoice): boolean => JSON.stringify(a) === JSON.stringify(b);

describe.each(FULL ? (['cpu', 'gpu'] as const) : (['cpu'] as const))('tuning the kernels of a %s', (kind) => {
  let device: Device;
  let net: ReturnType<typeof makeStep>;
  let summary: TuneSummary;
  beforeAll(async () => {
    device = await testDevice({ fusion: true, kind });
    net = makeStep(device);
    await net.step();
    summary = await tune(net.step, { known: new Map() });
  }, 300_000);
  afterAll(() => device.destroy());

  const productsOf = ({ results }: TuneSummary): Map<string, TunedProduct> =>
    new Map(results.map(({ key, entry }) => [key, entry]));
  const tunablesOf = ({ step }: Pick<typeof net, 'step'>): readonly Tunable[] =>
    step.lastPlan?.traced.tunables ?? [];

  it('measures every product of a plan, and refuses none of the choices', () => {
    expect(summary.total).toBeGreaterThanOrEqual(6);
    expect(summary.results).toHaveLength(summary.total);
    for (const { refused, timed, milliseconds, usualMilliseconds } of summary.results) {
      expect(refused).toEqual([]);
      expect(timed).toBeGreaterThan(1);
      expect(milliseconds).toBeGreaterThan(0);
      expect(milliseconds).toBeLessThanOrEqual(usualMilliseconds);
    }
  });

  it('plans by what was measured, with the same results up to rounding', async () => {
    await net.step();
    const expected = await net.gradients();
    // Choices that differ from the usual ones, whatever was fastest here.
    const products = new Map(
      tunablesOf(net).flatMap((tunable) => {
        const { key, usual } = tunable;
        const other = tunable.kernels()[1] ?? tunable.near(usual)[0];
        const entry = productsOf(summary).get(key);
        return other === undefined || entry === undefined
          ? []
          : [[key, { ...entry, choice: { ...other }, wgsl: hashOf(device.gpu, tunable, [other]) }] as const];
      }),
    );
    device.gpu.tuned = { ...NOTHING_TUNED, products };
    const step = net.compile();
    await step();
    // A convolution by Winograd has no direct product to choose for.
    const taken = tunablesOf({ step });
    expect(taken.filter(({ chosen, usual }) => same(chosen, usual))).toEqual([]);
    expect(taken.length).toBeGreaterThan(3);
    expect(taken.map(({ chosen }) => chosen.method)).toContain('winograd');
    const errors = (await net.gradients()).map((found, i) => relativeError(found, expected[i] ?? []));
    console.log(`tuned choices: largest relative difference ${Math.max(...errors).toExponential(1)}`);
    for (const error of errors) expect(error).toBeLessThan(2e-5);
    step.dispose();
    device.gpu.tuned = NOTHING_TUNED;
  });

  it('measures nothing again that is known, until its kernels change', async () => {
    const products = productsOf(summary);
    device.gpu.tuned = { ...NOTHING_TUNED, products };
    const step = net.compile();
    await step();
    expect(await tune(step, { known: products })).toMatchObject({ known: summary.total, results: [] });
    const [first] = products.keys();
    const changed = new Map(products);
    const entry = products.get(first ?? '');
    if (first === undefined || entry === undefined) throw new Error('nothing was tuned');
    changed.set(first, { ...entry, rivals: '0'.repeat(16) });
    const again = await tune(step, { known: changed });
    expect(again.results.map(({ key }) => key)).toEqual([first]);
    step.dispose();
    device.gpu.tuned = NOTHING_TUNED;
  });

  it.each([
    ['of other WGSL', (entry: TunedProduct) => ({ ...entry, wgsl: '0'.repeat(16) })],
    [
      'of no tile',
      ({ choice, ...entry }: TunedProduct) => ({ ...entry, choice: { ...choice, tile: 'toString' } }),
    ],
    [
      'of a tile of another family',
      ({ choice, ...entry }: TunedProduct) => ({
        ...entry,
        choice: { ...choice, tile: kind === 'cpu' ? 'tiled64x64' : 'registers8' },
      }),
    ],
    [
      'with a chunk that is no multiple',
      ({ choice, ...entry }: TunedProduct) => ({ ...entry, choice: { ...choice, chunk: 3 } }),
    ],
    [
      'with a million splits',
      ({ choice, ...entry }: TunedProduct) => ({ ...entry, choice: { ...choice, splits: 1e6 } }),
    ],
    [
      'with a field too many',
      ({ choice, ...entry }: TunedProduct) => ({ ...entry, choice: { ...choice, more: 1 } }),
    ],
    ['of nothing', (entry: TunedProduct) => ({ ...entry, choice: {} })],
  ])('takes the usual choice where the measured one is %s', async (_, change) => {
    const products = new Map([...productsOf(summary)].map(([key, entry]) => [key, change(entry)]));
    device.gpu.tuned = { ...NOTHING_TUNED, products };
    const step = net.compile();
    await step.prepare();
    for (const { chosen, usual } of tunablesOf({ step })) expect(chosen).toEqual(usual);
    step.dispose();
    device.gpu.tuned = NOTHING_TUNED;
  });

  it('refuses choices whose statistics are others', async () => {
    const step = net.compile();
    await step();
    const tunables = tunablesOf({ step }) as Tunable[];
    const measured = tunables.flatMap((tunable): Tunable[] => {
      const { usual, make } = tunable;
      const other = { ...usual };
      const spoiled: Tunable['make'] = (context, choice) => {
        const made = make(context, choice);
        const [first] = made.dispatches;
        if (choice !== other || first === undefined) return made;
        const code = first.code.replace(/partials\[([^;]*)\] = (\w[^;]*);/g, 'partials[$1] = 1.001 * ($2);');
        return { ...made, dispatches: [{ ...first, code }] };
      };
      const hasStatistics = make(testContext(device.gpu), usual).partials !== null;
      return hasStatistics
        ? [{ ...tunable, kernels: () => [usual, other], near: () => [], make: spoiled }]
        : [];
    });
    tunables.splice(0, tunables.length, ...measured);
    const { results } = await tune(step, { known: new Map() });
    expect(results.length).toBeGreaterThan(0);
    for (const { refused } of results) expect(refused[0]?.why).toMatch(/^its statistics differ by/);
    step.dispose();
  });

  it('refuses choices that compute something else, and says why', async () => {
    const step = net.compile();
    await step();
    const tunables = tunablesOf({ step }) as Tunable[];
    const wrong = tunables.map((tunable): Tunable => {
      const { usual, make } = tunable;
      const other = { ...usual };
      return {
        ...tunable,
        kernels: () => [usual, other],
        near: () => [],
        make: (context, choice) => {
          const made = make(context, choice);
          if (choice !== other) return made;
          const [first, ...more] = made.dispatches;
          const stride = first?.params?.['a_inner'];
          if (first === undefined || stride === undefined) throw new Error('no product');
          // Other elements of A are added up.
          const params = { ...first.params, a_inner: { ...stride, value: stride.value + 1 } };
          const dispatch = { ...first, params };
          return { ...made, dispatches: [dispatch, ...more] };
        },
      };
    });
    tunables.splice(0, tunables.length, ...wrong);
    const { results } = await tune(step, { known: new Map() });
    for (const { refused, best, usual, kernel, shape } of results) {
      expect(refused, `${kernel}, ${shape}`).toHaveLength(1);
      expect(refused[0]?.why).toMatch(/^its (result differs|statistics differ) by \S+, more than \S+$/);
      expect(best).toBe(usual);
    }
    console.log([...new Set(results.flatMap(({ refused }) => refused.map(({ why }) => why)))].join('; '));
    step.dispose();
  });
});

describe('choices', () => {
  const extents = [
    { groups: 1, rows: 48, columns: 12544, outer: [3, 3], inner: 192 },
    { groups: 1, rows: 192, columns: 3136, outer: [1, 1], inner: 384 },
    { groups: 1, rows: 96, columns: 147, outer: [64, 112], inner: 112 },
    { groups: 2, rows: 3, columns: 5, outer: [1, 1], inner: 1 },
  ]
    .flatMap((extent) => [
      { ...extent, dtype: 'f32' as const },
      { ...extent, dtype: 'f16' as const },
    ])
    .map(({ dtype, ...extent }) => ({
      ...extent,
      a: { dtype },
      b: { dtype },
      outer: extent.outer as [number, number],
      c: { length: extent.groups * extent.rows * extent.columns },
    }));

  it.each(['h100', 'lavapipe'] as const)('of %s can all be taken, and are distinct', (name) => {
    const geometry = PROFILES[name];
    for (const extent of extents)
      for (const whole of [false, true]) {
        const usual = chooseGemm(geometry, extent, whole ? { splits: 1 } : {});
        const kernels = gemmKernels(geometry, extent, whole, usual);
        const all = kernels.flatMap((choice) => [choice, ...gemmNear(geometry, extent, whole, choice)]);
        expect(kernels[0]).toEqual(usual);
        for (const choice of all)
          expect(admitGemm(geometry, extent, whole, { ...choice }), JSON.stringify(choice)).toEqual(choice);
        expect(new Set(kernels.map((choice) => JSON.stringify(choice))).size).toBe(kernels.length);
        if (whole) expect(all.every(({ splits }) => splits === 1)).toBe(true);
      }
  });
});
