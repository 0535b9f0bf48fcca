import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  crossEntropy,
  matmul,
  mul,
  optim,
  relu,
  sum,
  type Device,
  type LossScale,
  type Tensor,
} from '../../src/index.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import type { Optimizer } from '../../src/nn/optim/optimizer.ts';
import { testDevice } from '../support/engine.ts';
import { normal } from '../support/hash.ts';

/*
 * Loss scaling with f32 storage, where a power of two changes no bit: functions of precision f32 are scaled too (`everywhere`), so that
 * every adapter runs these tests.
 */

/** The oracle has no loss scale. */
let plain: Device;
let scaled: Device;
let lossScale: LossScale;
beforeAll(async () => {
  [plain, scaled] = await Promise.all([testDevice(), testDevice()]);
  lossScale = scaled.enableLossScale();
  lossScale.everywhere = true;
});
afterAll(() => Promise.all([plain.destroy(), scaled.destroy()]));

const BATCH = 8;
const SHAPES = [[5, 40], [40], [40, 3], [3]] as const;
const LABELS = Int32Array.from({ length: BATCH }, (_, i) => i % 3);

const start = (i: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(
    normal(
      `parameter ${i}`,
      (SHAPES[i] ?? []).reduce((product, n) => product * n, 1),
    ),
  );
const parametersOn = (device: Device): Tensor[] =>
  SHAPES.map((shape, i) => device.tensor(start(i), shape, { requiresGrad: true }));
const inputAt = (step: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(normal(`input ${step}`, BATCH * 5));

function lossOf(parameters: readonly Tensor[], x: Tensor, labels: Tensor): Tensor {
  const [w1, b1, w2, b2] = parameters;
  if (!w1 || !b1 || !w2 || !b2) throw new Error('four parameters');
  return crossEntropy(add(matmul(relu(add(matmul(x, w1), b1)), w2), b2), labels);
}

const bits = async (tensor: Tensor | null | undefined): Promise<number[]> => {
  const data = await tensor?.data();
  return data === undefined ? [] : [...new Uint32Array(Float32Array.from(data).buffer)];
};
const numbers = async (tensor: Tensor | null | undefined): Promise<number[]> => [
  ...((await tensor?.data()) ?? []),
];
const all = <T>(tensors: readonly Tensor[], read: (tensor: Tensor) => Promise<T>): Promise<T[]> =>
  Promise.all(tensors.map(read));

type Make = (parameters: readonly Tensor[]) => Optimizer;
const SGD: Make = (parameters) =>
  new optim.SGD(parameters, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-3 });
const ADAM: Make = (parameters) => new optim.AdamW(parameters, { lr: 0.01 });

interface Training {
  readonly steps?: number;
  readonly eager?: boolean;
  readonly clip?: boolean;
  /** Backwards before each step. */
  readonly backwards?: number;
  /** Steps whose inputs are infinite. */
  readonly bad?: readonly number[];
  /** Called after each step. */
  readonly after?: (step: number, parameters: readonly Tensor[], optimizer: Optimizer) => Promise<void>;
}

/** Trains the net; gives the bits of its parameters, of its losses and of the last gradients. */
async function train(device: Device, make: Make, training: Training = {}) {
  const { steps = 4, eager = false, clip = false, backwards = 1, bad = [], after } = training;
  const parameters = parametersOn(device);
  const optimizer = make(parameters);
  const body = (x: Tensor, labels: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = lossOf(parameters, x, labels);
    loss.backward({ retainGraph: true });
    for (let i = 1; i < backwards; i++) mul(loss, i).backward({ retainGraph: true });
    if (clip) optimizer.clipGradNorm(0.1);
    optimizer.step();
    return loss;
  };
  const compiled = device.compile(body);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const input = bad.includes(step) ? new Float32Array(BATCH * 5).fill(1e38) : inputAt(step);
    const loss = eager
      ? device.scope(() => body(device.tensor(input, [BATCH, 5]), device.tensor(LABELS)))
      : await compiled({ data: input, shape: [BATCH, 5] }, LABELS);
    losses.push(...(await bits(loss)));
    await after?.(step, parameters, optimizer);
  }
  const result = {
    parameters: await all(parameters, bits),
    values: (await all(parameters, numbers)).flat(),
    gradients: await all(
      parameters.flatMap(({ grad }) => grad ?? []),
      bits,
    ),
    losses,
    dispatches: eager ? 0 : compiled.statistics().dispatches,
  };
  compiled.dispose();
  optimizer.dispose();
  return result;
}

const restart = (scale = 65536): void => lossScale.load({ scale, goodSteps: 0, skipped: 0 });

describe('without overflow', () => {
  it.each<{ name: string; training: Training }>([
    { name: 'compiled', training: {} },
    { name: 'eager', training: { eager: true } },
    { name: 'clipped', training: { clip: true } },
    { name: 'several backwards a step', training: { backwards: 3 } },
  ])('SGD gives the same bits: $name', async ({ training }) => {
    restart();
    const [expected, found] = [await train(plain, SGD, training), await train(scaled, SGD, training)];
    expect(found.parameters).toEqual(expected.parameters);
    expect(found.gradients).toEqual(expected.gradients);
    expect(found.losses).toEqual(expected.losses);
    console.log(`dispatches: ${expected.dispatches}, ${found.dispatches} with a loss scale`);
    if (training.eager !== true) expect(found.dispatches - expected.dispatches).toBeLessThanOrEqual(2);
    expect(await lossScale.state()).toEqual({ scale: 65536, goodSteps: 4, skipped: 0 });
  });

  it('AdamW differs by the rounding of its bias corrections', async () => {
    restart();
    const [expected, found] = [await train(plain, ADAM), await train(scaled, ADAM)];
    expect(found.gradients.length).toBe(SHAPES.length);
    const error = Math.max(...found.values.map((x, i) => Math.abs(x - (expected.values[i] ?? NaN))));
    console.log(`AdamW with a loss scale: largest difference ${error.toExponential(1)}`);
    // 4 steps of at most lr = 0.01, each within some f32 roundings; parameters of about 1.
    expect(error).toBeLessThan(4e-7);
  });

  it("AdamW's bias corrections are f32-exact over many steps", async () => {
    restart();
    const lr = 2 ** -6;
    const relative: number[] = [];
    for (const step of [1, 2, 10, 100, 997, 998, 1001, 9999, 250_000]) {
      // With zero moments before, one step moves p by lr (1 - b1) / c1 / (sqrt(1 - b2) / c2), whatever the gradient.
      const p = scaled.tensor(new Float32Array(4), [4], { requiresGrad: true });
      const adam = new optim.Adam([p], { lr, eps: 1e-30 });
      const zeros = { shape: [4], data: new Float32Array(4) };
      adam.loadStateDict(
        new Map<string, HostTensor>([
          ['0.step', { shape: [], data: Int32Array.of(step - 1) }],
          ['0.exp_avg', zeros],
          ['0.exp_avg_sq', zeros],
        ]),
      );
      sum(p).backward();
      adam.step();
      const exact = -lr * ((1 - 0.9) / (1 - 0.9 ** step)) * Math.sqrt((1 - 0.999 ** step) / (1 - 0.999));
      relative.push(Math.abs(((await numbers(p))[0] ?? NaN) / exact - 1));
      adam.dispose();
    }
    console.log(`bias corrections: worst relative error ${Math.max(...relative).toExponential(1)}`);
    expect(Math.max(...relative)).toBeLessThan(5e-7);
  });
});

describe('an overflow', () => {
  it.each([
    { name: 'SGD, compiled', make: SGD, eager: false },
    { name: 'AdamW, compiled', make: ADAM, eager: false },
    { name: 'AdamW, eager', make: ADAM, eager: true },
    { name: 'AdamW, clipped', make: ADAM, eager: false, clip: true },
  ])('leaves no trace but a halved scale: $name', async ({ make, eager, clip = false }) => {
    restart();
    const seen: { parameters: number[][]; state: number[][]; scale: number }[] = [];
    const after: Training['after'] = async (_, parameters, optimizer) => {
      const state = await optimizer.stateDict();
      seen.push({
        parameters: await all(parameters, bits),
        state: [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { data }]) => [...data]),
        scale: (await lossScale.state()).scale,
      });
    };
    const bad = await train(scaled, make, { steps: 5, eager, clip, bad: [2], after });
    expect(seen[2]?.parameters).toEqual(seen[1]?.parameters);
    expect(seen[2]?.state).toEqual(seen[1]?.state);
    expect(seen[3]?.parameters).not.toEqual(seen[2]?.parameters);
    expect(seen.map(({ scale }) => scale)).toEqual([65536, 65536, 32768, 32768, 32768]);
    expect(await lossScale.state()).toEqual({ scale: 32768, goodSteps: 2, skipped: 1 });
    // As if the step had not been.
    restart();
    const inputs = [0, 1, 3, 4];
    const parameters = parametersOn(scaled);
    const optimizer = make(parameters);
    for (const step of inputs) {
      scaled.scope(() => {
        optimizer.zeroGrad();
        const x = scaled.tensor(inputAt(step), [BATCH, 5]);
        lossOf(parameters, x, scaled.tensor(LABELS)).backward();
        if (clip) optimizer.clipGradNorm(0.1);
        optimizer.step();
      });
    }
    expect(await all(parameters, bits)).toEqual(bad.parameters);
    optimizer.dispose();
  });

  it('at the first step leaves no state', async () => {
    restart();
    const states: number[] = [];
    const after: Training['after'] = async (_, __, optimizer) => {
      states.push((await optimizer.stateDict()).size);
    };
    await train(scaled, ADAM, { steps: 2, bad: [0], after });
    expect(states).toEqual([0, 3 * SHAPES.length]);
  });

  it('is seen by every optimizer until the next backward', async () => {
    restart();
    const [a, b] = [0, 1].map(() => scaled.tensor([1], { requiresGrad: true }));
    if (!a || !b) throw new Error('two parameters');
    const optimizers = [a, b].map((p) => new optim.SGD([p], { lr: 1 }));
    const step = (factor: number): void => {
      for (const optimizer of optimizers) optimizer.zeroGrad();
      sum(mul(mul(a, b), factor)).backward();
      // Outside compiled functions each step is submitted by itself.
      for (const optimizer of optimizers) optimizer.step();
    };
    step(Infinity);
    expect([await numbers(a), await numbers(b)]).toEqual([[1], [1]]);
    step(0.5);
    expect([await numbers(a), await numbers(b)]).toEqual([[0.5], [0.5]]);
    expect(await lossScale.state()).toEqual({ scale: 32768, goodSteps: 1, skipped: 1 });
    for (const optimizer of optimizers) optimizer.dispose();
  });

  it('of an accumulated sum counts, and a gradient that is assigned afterwards does not', async () => {
    restart(1);
    const p = scaled.tensor([1], { requiresGrad: true });
    const optimizer = new optim.SGD([p], { lr: 1 });
    for (let i = 0; i < 2; i++) sum(mul(p, 3e38)).backward();
    optimizer.step();
    expect(await numbers(p)).toEqual([1]);
    p.grad = scaled.tensor([0.25]);
    optimizer.step();
    expect(await numbers(p)).toEqual([0.75]);
    expect(await lossScale.state()).toEqual({ scale: 1, goodSteps: 0, skipped: 1 });
    optimizer.dispose();
  });

  it('keeps apart parameters that took part in different steps, though the host counts the same', async () => {
    restart();
    const parameters = [0, 1].map(() => scaled.tensor([0], { requiresGrad: true }));
    const adam = new optim.Adam(parameters, { lr: 1, betas: [0.5, 0.5] });
    const step = (taking: readonly number[], factor: number): void => {
      adam.zeroGrad();
      const terms = taking.flatMap((i) => parameters[i] ?? []).map((p) => sum(mul(p, factor)));
      for (const term of terms) term.backward();
      adam.step();
    };
    step([0], Infinity);
    step([1], 1);
    step([0, 1], 1);
    const state = await adam.stateDict();
    expect([state.get('0.step')?.data[0], state.get('1.step')?.data[0]]).toEqual([1, 2]);
    // Of equal gradients every step is lr.
    expect((await all(parameters, numbers)).flat()).toEqual([expect.closeTo(-1, 5), expect.closeTo(-2, 5)]);
    adam.dispose();
  });
});

describe('the scale', () => {
  it('doubles after 2000 good steps, up to 2^24, and is no less than 1', async () => {
    const p = scaled.tensor([1], { requiresGrad: true });
    const optimizer = new optim.SGD([p], { lr: 0 });
    const step = async (factor: number) => {
      optimizer.zeroGrad();
      sum(mul(p, factor)).backward();
      optimizer.step();
      // Another backward settles the round on the device; the host counted it before.
      const before = await lossScale.state();
      sum(p).backward();
      expect(await lossScale.state()).toEqual(before);
      return before;
    };
    lossScale.load({ scale: 2 ** 23, goodSteps: 1998, skipped: 7 });
    expect(await step(1)).toEqual({ scale: 2 ** 23, goodSteps: 1999, skipped: 7 });
    expect(await step(1)).toEqual({ scale: 2 ** 24, goodSteps: 0, skipped: 7 });
    lossScale.load({ scale: 2 ** 24, goodSteps: 1999, skipped: 0 });
    expect(await step(1)).toEqual({ scale: 2 ** 24, goodSteps: 0, skipped: 0 });
    restart(2);
    expect(await step(NaN)).toEqual({ scale: 1, goodSteps: 0, skipped: 1 });
    expect(await step(-Infinity)).toEqual({ scale: 1, goodSteps: 0, skipped: 2 });
    expect(() => restart(3)).toThrow('a loss scale is a power of two of 1 to 2^24, got 3');
    expect(() => lossScale.load({ scale: 2, goodSteps: -1, skipped: 0 })).toThrow('numbers of steps');
    optimizer.dispose();
  });

  it('stands in snapshots, and goes on after state and load', async () => {
    restart();
    const p = scaled.tensor([1], { requiresGrad: true });
    const optimizer = new optim.SGD([p], { lr: 0 });
    const step = scaled.compile((factor: Tensor) => {
      optimizer.zeroGrad();
      sum(mul(p, factor)).backward();
      optimizer.step();
      return lossScale.snapshot();
    });
    const scales: number[] = [];
    for (const factor of [1, Infinity, 1, NaN, 1]) {
      const snapshot = (await (await step([factor])).data()) as Uint32Array;
      const { scale } = lossScale.decode(snapshot);
      scales.push(scale);
      expect(await lossScale.state()).toEqual(lossScale.decode(snapshot));
      // A load of what was read changes nothing.
      lossScale.load(await lossScale.state());
    }
    expect(scales).toEqual([65536, 32768, 32768, 16384, 16384]);
    step.dispose();
    optimizer.dispose();
  });

  it("makes functions that were traced before it trace anew, and Adam's counts go on", async () => {
    const device = await testDevice();
    const p = device.tensor([0], { requiresGrad: true });
    const adam = new optim.Adam([p], { lr: 1, betas: [0.5, 0.5] });
    const step = device.compile((factor: Tensor) => {
      adam.zeroGrad();
      sum(mul(p, factor)).backward();
      adam.step();
    });
    await step([1]);
    await step([1]);
    expect([step.traces, device.lossScale]).toEqual([1, null]);
    device.enableLossScale().everywhere = true;
    await step([1]);
    await step([Infinity]);
    await step([1]);
    expect(step.traces).toBe(2);
    expect((await adam.stateDict()).get('0.step')?.data[0]).toBe(4);
    expect((await numbers(p))[0]).toBeCloseTo(-4, 5);
    await device.destroy();
  });
});

describe('precision f16', () => {
  it('keeps gradients by its scale that f16 alone loses', async ({ skip }) => {
    if (!plain.gpu.geometry.f16) skip('the adapter has no shader-f16');
    const device = await testDevice({ fusion: true });
    const gradientIn = async (precision: 'f32' | 'f16', scale?: number) => {
      const [w1, , w2] = parametersOn(device);
      if (!w1 || !w2) throw new Error('two matrices');
      const step = device.compile(
        (x: Tensor) => {
          w1.clearGrad();
          const hidden = relu(matmul(relu(matmul(x, w1)), eye));
          mul(sum(matmul(hidden, w2)), 2 ** -26).backward();
        },
        { precision },
      );
      if (scale !== undefined) device.lossScale?.load({ scale, goodSteps: 0, skipped: 0 });
      await step({ data: inputAt(0), shape: [BATCH, 5] });
      step.dispose();
      return numbers(w1.grad);
    };
    const eye = device.tensor(
      Float32Array.from({ length: 1600 }, (_, i) => (i % 41 === 0 ? 1 : 0)),
      [40, 40],
    );
    const exact = await gradientIn('f32');
    const norm = (values: readonly number[]): number => Math.hypot(...values);
    const errorOf = (values: readonly number[]): number =>
      norm(values.map((x, i) => x - (exact[i] ?? NaN))) / norm(exact);
    const [with16, without] = [
      errorOf(await gradientIn('f16', 2 ** 16)),
      errorOf(await gradientIn('f16', 1)),
    ];
    console.log(
      `error of a small gradient in f16: ${with16.toExponential(1)}, unscaled ${without.toExponential(1)}`,
    );
    expect(with16).toBeLessThan(2e-3);
    expect(without).toBeGreaterThan(0.1);
    expect(await device.lossScale?.state()).toEqual({ scale: 1, goodSteps: 0, skipped: 0 });
    await device.destroy();
  });
});
