import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Adam, AdamW } from '../../src/nn/optim/adam.ts';
import type { Optimizer } from '../../src/nn/optim/optimizer.ts';
import { Sgd } from '../../src/nn/optim/sgd.ts';
import { readSafetensors, writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { mul, sum, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';
import { normal } from '../support/hash.ts';

/** Sizes around the 256-byte steps of flat buffers, one of them a scalar. */
const SHAPES: readonly (readonly number[])[] = [[3, 5], [], [64], [65], [7, 11, 2]];
const STEPS = 10;

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const count = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
const startOf = (i: number) => normal(`parameter ${i}`, count(SHAPES[i] ?? []));
const gradientOf = (i: number, step: number) => normal(`gradient ${i} ${step}`, count(SHAPES[i] ?? []));
const makeParameters = () =>
  SHAPES.map((shape, i) => device.tensor(startOf(i), shape, { requiresGrad: true }));

/** Gives each parameter the gradient of that step, but those in `skipped` none. */
function backward(parameters: readonly Tensor[], step: number, skipped: readonly number[]): void {
  const terms = parameters.flatMap((p, i) =>
    skipped.includes(i) ? [] : [sum(mul(p, device.tensor(gradientOf(i, step), p.shape)))],
  );
  for (const term of terms) term.backward();
}

/** The second parameter never has a gradient, the fourth has none in steps 3 to 5. */
const skippedAt = (step: number): number[] => (step >= 3 && step <= 5 ? [1, 3] : [1]);

/** One update of one parameter in f64: changes p and whatever state it keeps in `memory`. */
type Rule = (p: Float64Array, g: Float64Array, memory: Map<string, Float64Array>, t: number) => void;

function recall(memory: Map<string, Float64Array>, name: string, length: number): Float64Array {
  const kept = memory.get(name) ?? new Float64Array(length);
  memory.set(name, kept);
  return kept;
}

const at = (values: ArrayLike<number>, i: number): number => values[i] ?? NaN;

const adamRule =
  (lr: number, [b1, b2]: [number, number], eps: number, l2: number, decoupled: number): Rule =>
  (p, g, memory, t) => {
    const [m, v] = [recall(memory, 'm', p.length), recall(memory, 'v', p.length)];
    for (let i = 0; i < p.length; i++) {
      const start = at(p, i) * (1 - lr * decoupled);
      const gradient = at(g, i) + l2 * at(p, i);
      m[i] = b1 * at(m, i) + (1 - b1) * gradient;
      v[i] = b2 * at(v, i) + (1 - b2) * gradient ** 2;
      p[i] = start - ((lr / (1 - b1 ** t)) * at(m, i)) / (Math.sqrt(at(v, i) / (1 - b2 ** t)) + eps);
    }
  };

const sgdRule =
  (lr: number, momentum: number, nesterov: boolean, l2: number): Rule =>
  (p, g, memory) => {
    const buffer = recall(memory, 'buffer', p.length);
    for (let i = 0; i < p.length; i++) {
      const gradient = at(g, i) + l2 * at(p, i);
      buffer[i] = momentum * at(buffer, i) + gradient;
      p[i] = at(p, i) - lr * (nesterov ? gradient + momentum * at(buffer, i) : at(buffer, i));
    }
  };

/** Parameters after STEPS steps in f64; `scale` is what clipping multiplies a step's gradients by. */
function reference(rule: Rule, scale: (step: number) => number = () => 1): Float64Array[] {
  return SHAPES.map((_, i) => {
    const p = Float64Array.from(startOf(i));
    const memory = new Map<string, Float64Array>();
    let t = 0;
    for (let step = 0; step < STEPS; step++) {
      if (skippedAt(step).includes(i)) continue;
      rule(
        p,
        Float64Array.from(gradientOf(i, step), (g) => g * scale(step)),
        memory,
        ++t,
      );
    }
    return p;
  });
}

function run(optimizer: Optimizer, parameters: readonly Tensor[], from = 0, to = STEPS): void {
  for (let step = from; step < to; step++) {
    optimizer.zeroGrad();
    backward(parameters, step, skippedAt(step));
    optimizer.step();
  }
}

async function worstError(parameters: readonly Tensor[], expected: readonly Float64Array[]): Promise<number> {
  const errors = parameters.map(async (parameter, i) => {
    const data = await parameter.data();
    return Math.max(
      ...Array.from(expected[i] ?? [], (x, k) => Math.abs(x - at(data, k)) / (1 + Math.abs(x))),
    );
  });
  return Math.max(...(await Promise.all(errors)));
}

describe('optimisers against f64, 10 steps, with parameters that sometimes have no gradient', () => {
  const cases: [string, (p: Tensor[]) => Optimizer, Rule][] = [
    ['Adam', (p) => new Adam(p, { lr: 0.01, weightDecay: 0.1 }), adamRule(0.01, [0.9, 0.999], 1e-8, 0.1, 0)],
    [
      'Adam with other betas and eps',
      (p) => new Adam(p, { lr: 0.05, betas: [0.5, 0.9], eps: 1e-2 }),
      adamRule(0.05, [0.5, 0.9], 1e-2, 0, 0),
    ],
    [
      'AdamW',
      (p) => new AdamW(p, { lr: 0.01, weightDecay: 0.1 }),
      adamRule(0.01, [0.9, 0.999], 1e-8, 0, 0.1),
    ],
    ['SGD', (p) => new Sgd(p, { lr: 0.1 }), sgdRule(0.1, 0, false, 0)],
    [
      'SGD with momentum and weight decay',
      (p) => new Sgd(p, { lr: 0.1, momentum: 0.9, weightDecay: 0.01 }),
      sgdRule(0.1, 0.9, false, 0.01),
    ],
    [
      "SGD with Nesterov's momentum",
      (p) => new Sgd(p, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
      sgdRule(0.1, 0.9, true, 0.01),
    ],
  ];
  it.each(cases)('%s', async (name, make, rule) => {
    const parameters = makeParameters();
    const optimizer = make(parameters);
    run(optimizer, parameters);
    const error = await worstError(parameters, reference(rule));
    console.log(`${name}: worst error ${error.toExponential(2)} after ${STEPS} steps`);
    expect(error).toBeLessThan(1e-6);
    expect(await parameters[1]?.data()).toEqual(startOf(1));
    optimizer.dispose();
  });

  it('does the same in a compiled step, and follows the learning rate', async () => {
    const shape = [7, 11];
    const make = () => device.tensor(normal('p', 77), shape, { requiresGrad: true });
    const [eager, compiled] = [make(), make()];
    const [a, b] = [new Adam([eager]), new Adam([compiled])];
    const body = (p: Tensor, optimizer: Adam, g: Tensor) => {
      optimizer.zeroGrad();
      const loss = sum(mul(mul(p, p), g));
      loss.backward();
      optimizer.step();
      return loss;
    };
    const step = device.compile((g: Tensor) => body(compiled, b, g));
    for (let i = 0; i < 6; i++) {
      a.lr = b.lr = 0.1 / (i + 1);
      const g = normal(`g${i}`, 77);
      const loss = body(eager, a, device.tensor(g, shape));
      expect(await (await step({ data: g, shape })).item()).toBe(await loss.item());
    }
    expect(await compiled.data()).toEqual(await eager.data());
    expect(await compiled.data()).not.toEqual(normal('p', 77));
    expect(step.traces).toBe(1);
    step.dispose();
  });

  it('submits once a step', async () => {
    const parameters = makeParameters();
    const optimizer = new Adam(parameters);
    run(optimizer, parameters, 0, 1);
    await device.sync();
    const before = device.counters.submits;
    run(optimizer, parameters, 1, 2);
    await device.runtime.queue.idle();
    expect(device.counters.submits - before).toBe(1);
    optimizer.dispose();
  });
});

describe('memory of an optimiser', () => {
  it('is given back when it is disposed, and the parameter stays usable', async () => {
    // Larger than what tensors share a buffer in, so that every vector shows in the count.
    const length = 5_000_000;
    // Small ones of each kind hold on to the buffers that are shared.
    const small = device.tensor([1], [1], { requiresGrad: true });
    const other = new Adam([small], { lr: 0.1 });
    sum(small).backward();
    other.step();
    await device.sync();
    const before = device.counters.bytesHeld;
    const vectorsHeld = async () => {
      await device.sync();
      return Math.round((device.counters.bytesHeld - before) / (4 * length));
    };
    const p = device.tensor(new Float32Array(length).fill(2), [length], { requiresGrad: true });
    const optimizer = new Adam([p], { lr: 0.1 });
    sum(p).backward();
    optimizer.step();
    expect(await vectorsHeld()).toBe(4); // parameter, gradient, two moments
    optimizer.dispose();
    expect(await vectorsHeld()).toBe(1);
    expect((await p.data())[length - 1]).toBeCloseTo(1.9, 6);
    sum(p).backward();
    expect((await p.grad?.data())?.[length - 1]).toBe(1);
    for (const tensor of [p, small]) {
      tensor.clearGrad();
      tensor.dispose();
    }
    other.dispose();
  });
});

describe('clipping of the gradient norm', () => {
  const norm = (step: number) =>
    Math.sqrt(
      SHAPES.flatMap((_, i) => (skippedAt(step).includes(i) ? [] : [...gradientOf(i, step)])).reduce(
        (sum, g) => sum + g * g,
        0,
      ),
    );

  it.each([0.5, 1e6])('to %d scales as PyTorch does and gives the norm before', async (maxNorm) => {
    const parameters = makeParameters();
    const optimizer = new Adam(parameters, { lr: 0.01, eps: 1e-2 });
    for (let step = 0; step < STEPS; step++) {
      optimizer.zeroGrad();
      backward(parameters, step, skippedAt(step));
      const total = optimizer.clipGradNorm(maxNorm);
      optimizer.step();
      expect((await total.item()) / norm(step)).toBeCloseTo(1, 5);
    }
    const rule = adamRule(0.01, [0.9, 0.999], 1e-2, 0, 0);
    const expected = reference(rule, (step) => Math.min(1, maxNorm / (norm(step) + 1e-6)));
    const error = await worstError(parameters, expected);
    console.log(`clipped to ${maxNorm}: worst error ${error.toExponential(2)}`);
    expect(error).toBeLessThan(1e-6);
    optimizer.dispose();
  });
});

describe('state of an optimiser', () => {
  const makers: [string, (p: Tensor[]) => Optimizer][] = [
    ['Adam', (p) => new Adam(p, { lr: 0.01, weightDecay: 0.1 })],
    ['SGD', (p) => new Sgd(p, { lr: 0.1, momentum: 0.9 })],
  ];
  it.each(makers)('%s continues bit for bit from a file', async (_, make) => {
    const through = makeParameters();
    const whole = make(through);
    run(whole, through);
    const first = makeParameters();
    const before = make(first);
    run(before, first, 0, 4);
    const file = writeSafetensors(await before.stateDict());
    const second = await Promise.all(
      first.map(async (p) => device.tensor(await p.data(), p.shape, { requiresGrad: true })),
    );
    const after = make(second);
    after.loadStateDict(readSafetensors(file).tensors);
    run(after, second, 4);
    for (const [i, p] of second.entries()) expect(await p.data()).toEqual(await through[i]?.data());
    for (const optimizer of [whole, before, after]) optimizer.dispose();
  });

  it('is named as PyTorch numbers parameters, without those that never stepped', async () => {
    const parameters = makeParameters();
    const optimizer = new Adam(parameters);
    expect((await optimizer.stateDict()).size).toBe(0);
    run(optimizer, parameters, 0, 4);
    const state = await optimizer.stateDict();
    expect([...state.keys()].sort()).toEqual(
      [0, 2, 3, 4].flatMap((i) => [`${i}.exp_avg`, `${i}.exp_avg_sq`, `${i}.step`]),
    );
    expect(state.get('0.exp_avg')?.shape).toEqual([3, 5]);
    expect([0, 2, 3, 4].map((i) => state.get(`${i}.step`)?.data[0])).toEqual([4, 4, 3, 4]);
    optimizer.dispose();
  });

  it('that does not fit is refused', async () => {
    const parameters = makeParameters();
    const optimizer = new Adam(parameters);
    run(optimizer, parameters, 0, 1);
    const state = await optimizer.stateDict();
    state.delete('0.step');
    state.set('2.exp_avg', { shape: [63], data: new Float32Array(63) });
    state.set('9.exp_avg', { shape: [1], data: new Float32Array(1) });
    expect(() => optimizer.loadStateDict(state)).toThrow(
      'the state dict does not fit this optimiser: missing 0.step; unexpected 9.exp_avg; ' +
        'wrong shape: 2.exp_avg is [63] there and [64] here',
    );
    optimizer.dispose();
  });
});

describe('gradients that lie elsewhere', () => {
  it('one from before the optimiser was made moves along', async () => {
    const p = device.tensor([1, 2], [2], { requiresGrad: true });
    sum(mul(p, 3)).backward();
    const sgd = new Sgd([p], { lr: 1 });
    sgd.step();
    expect(await p.data()).toEqual(Float32Array.of(-2, -1));
    expect(await p.grad?.data()).toEqual(Float32Array.of(3, 3));
    sgd.dispose();
  });
});

describe('what an optimiser refuses', () => {
  it('nothing to train, wrong numbers', () => {
    const frozen = device.tensor([1, 2]);
    expect(() => new Adam([frozen])).toThrow('at least one parameter that requires a gradient');
    const p = device.tensor([1, 2], [2], { requiresGrad: true });
    expect(() => new Adam([p], { lr: -1 })).toThrow(
      'the learning rate must be a finite number of at least 0, got -1',
    );
    expect(() => new Adam([p], { betas: [0.9, 1] })).toThrow('betas must lie in [0, 1), got 0.9, 1');
    expect(() => new Sgd([p], { lr: 1, nesterov: true })).toThrow('nesterov needs momentum');
  });

  it('leaves frozen parameters where they are', async () => {
    const [frozen, p] = [device.tensor([1, 2]), device.tensor([3, 4], [2], { requiresGrad: true })];
    const optimizer = new Adam([frozen, p], { lr: 0.1 });
    sum(mul(frozen, p)).backward();
    optimizer.step();
    expect(await frozen.data()).toEqual(Float32Array.of(1, 2));
    expect([...(await optimizer.stateDict()).keys()]).toContain('1.exp_avg');
    optimizer.dispose();
  });
});
