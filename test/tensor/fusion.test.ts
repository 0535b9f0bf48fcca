import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  avgPool2d,
  batchNorm2d,
  concat,
  conv2d,
  dropout,
  maxPool2d,
  mean,
  mul,
  relu,
  sigmoid,
  slice,
  sum,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import type { Description } from '../../src/gpu/profile.ts';
import { Generator } from '../../src/tensor/graph/random.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';
import { FULL } from '../support/scale.ts';

/** A net made of random steps, the same for the same seed on every device. */
interface Net {
  readonly leaves: Map<string, Tensor>;
  readonly running: Map<string, Tensor>;
  /** Gives the loss. */
  readonly forward: (x: Tensor) => Tensor;
}

interface NetOptions {
  readonly seed: number;
  readonly steps: number;
  readonly input: readonly [number, number, number, number];
}

type Step = (maps: Tensor[]) => Tensor;

function randomNet(device: Device, { seed, steps, input }: NetOptions): Net {
  const random = new Generator(seed);
  const leaves = new Map<string, Tensor>();
  const running = new Map<string, Tensor>();
  const leaf = (shape: number[], scale: number, offset = 0): Tensor => {
    const name = `leaf${leaves.size}`;
    const data = normals(`fusion/${seed}/${name}`, shape).map((value) => offset + scale * value);
    const tensor = device.tensor(data, shape, { requiresGrad: true });
    leaves.set(name, tensor);
    return tensor;
  };
  const statistic = (channels: number, value: number): Tensor => {
    const tensor = device.tensor(new Float32Array(channels).fill(value), [channels]);
    running.set(`running${running.size}`, tensor);
    return tensor;
  };
  const channels = [input[1]];
  const plan: Step[] = [];
  const pick = (): number => random.integer(channels.length);
  const norm = (count: number): ((x: Tensor) => Tensor) => {
    const affine = random.integer(4) > 0;
    const options = {
      weight: affine ? leaf([count], 0.3, 1) : null,
      bias: affine ? leaf([count], 0.2) : null,
      runningMean: statistic(count, 0),
      runningVar: statistic(count, 1),
      training: true,
    };
    return (x) => batchNorm2d(x, options);
  };
  const convolution = (count: number): ((x: Tensor) => Tensor) => {
    const size = random.integer(2) === 0 ? 1 : 3;
    const out = 1 + random.integer(9);
    channels.push(out);
    const weight = leaf([out, count, size, size], 1 / Math.sqrt(count * size * size));
    const bias = random.integer(4) === 0 ? leaf([out], 0.1) : null;
    return (x) => conv2d(x, weight, bias, { padding: (size - 1) / 2 });
  };
  const at = (maps: Tensor[], i: number): Tensor => maps[i] as Tensor;
  for (let i = 0; i < steps; i++) {
    const from = random.integer(4) === 0 ? pick() : channels.length - 1;
    const count = channels[from] as number;
    const kind = random.integer(8);
    if (kind <= 2) {
      const [normed, convolved] = [norm(count), convolution(count)];
      const drop = kind === 2 ? 0.3 : 0;
      plan.push((maps) => convolved(dropout(relu(normed(at(maps, from))), { p: drop })));
    } else if (kind === 3) {
      const [convolved, normed] = [convolution(count), norm(channels.at(-1) as number)];
      plan.push((maps) => relu(normed(convolved(at(maps, from)))));
    } else if (kind === 4) {
      const other = pick();
      channels.push(count + (channels[other] as number));
      plan.push((maps) => concat([at(maps, from), at(maps, other)], 1));
    } else if (kind === 5) {
      const normed = norm(count);
      channels.push(count);
      plan.push((maps) => add(normed(at(maps, from)), at(maps, from)));
    } else if (kind === 6 && count > 1) {
      const end = 1 + random.integer(count - 1);
      channels.push(end);
      plan.push((maps) => slice(at(maps, from), { dim: 1, start: 0, end }));
    } else {
      channels.push(count);
      plan.push((maps) => sigmoid(at(maps, from)));
    }
  }
  const [normed, last] = [norm(channels.at(-1) as number), convolution(channels.at(-1) as number)];
  const pool = random.integer(2) === 0 ? avgPool2d : maxPool2d;
  const weights = device.tensor(
    normals(`fusion/${seed}/weights`, [input[0], channels.at(-1) as number, 1, 1]),
    [input[0], channels.at(-1) as number, 1, 1],
  );
  return {
    leaves,
    running,
    forward: (x) => {
      const maps = [x];
      for (const step of plan) maps.push(step(maps));
      const y = pool(last(relu(normed(maps.at(-1) as Tensor))), { kernelSize: 2 });
      const loss = sum(mul(y, weights));
      // In every third net all maps count, so that each must lie in memory, and no step is dropped.
      if (seed % 3 > 0) return loss;
      return maps.map((map) => mean(mul(map, map))).reduce((a, b) => add(a, b), loss);
    },
  };
}

const normals = (name: string, shape: readonly number[]): Float32Array =>
  hashValues(
    name,
    shape.reduce((a, b) => a * b, 1),
    'normal',
  ) as Float32Array;

type MakeNet = (device: Device, options: NetOptions) => Net;

/** Loss, all gradients and all running statistics of one step. */
async function runStep(
  device: Device,
  options: NetOptions,
  make: MakeNet = randomNet,
): Promise<Map<string, Float32Array>> {
  const net = make(device, options);
  const x = device.tensor(normals(`fusion/${options.seed}/x`, options.input), [...options.input], {
    requiresGrad: true,
  });
  const train = (): Tensor => {
    const loss = net.forward(x);
    loss.backward();
    return loss;
  };
  const step = device.compile(train);
  device.randomStep = 0;
  // Outside a compiled function everything that a net makes may still be asked for.
  const loss = options.seed % 4 === 3 ? train() : await step();
  const results = new Map([['loss', (await loss.data()) as Float32Array]]);
  for (const [name, tensor] of [...net.leaves, ['x', x] as const]) {
    // Some leaves are of steps that the loss does not depend on.
    if (tensor.grad !== null) results.set(`gradient of ${name}`, (await tensor.grad.data()) as Float32Array);
  }
  for (const [name, tensor] of net.running) results.set(name, (await tensor.data()) as Float32Array);
  results.set('dispatches', Float32Array.of(step.plan([]).dispatches));
  step.dispose();
  return results;
}

/** One activation under two averages of equally many elements, which both go before their convolutions. */
function twoAverages(device: Device, { seed, input }: NetOptions): Net {
  const channels = input[1];
  const leaf = (name: string, shape: readonly number[]): Tensor =>
    device.tensor(normals(`fusion/${seed}/${name}`, shape), shape, { requiresGrad: true });
  const [a, b, weight, bias] = [
    leaf('a', [4, channels, 1, 1]),
    leaf('b', [4, channels, 1, 1]),
    leaf('weight', [channels]),
    leaf('bias', [channels]),
  ];
  const loss = (y: Tensor): Tensor => sum(mul(y, y));
  return {
    leaves: new Map(Object.entries({ a, b, weight, bias })),
    running: new Map(),
    forward: (x) => {
      const y = relu(batchNorm2d(x, { weight, bias, training: true }));
      const wide = avgPool2d(conv2d(y, a), { kernelSize: [1, 2] });
      return add(loss(wide), loss(avgPool2d(conv2d(y, b), { kernelSize: [2, 1] })));
    },
  };
}

/** Worst difference, against the largest value or `least`: a gradient may be rounding alone (of a bias before a norm). */
function relativeError(a: Float32Array, b: Float32Array, least: number): number {
  expect(a.length).toBe(b.length);
  const scale = Math.max(least, ...b.map(Math.abs));
  return a.reduce((worst, value, i) => {
    const error = Math.abs(value - (b[i] as number)) / scale;
    return Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }, 0);
}

/** Software adapters compile each net's kernels for seconds: npm run test:all tries more nets. */
const NETS = FULL ? { cpu: 40, gpu: 40 } : { cpu: 6, gpu: 3 };

describe.each(['cpu', 'gpu'] as const)('a fused plan (%s kernels)', (kind: Description['kind']) => {
  let fused: Device;
  let plain: Device;
  beforeAll(async () => {
    fused = await testDevice({ kind, fusion: true });
    plain = await testDevice({ kind, fusion: false });
  });
  afterAll(async () => {
    await fused.destroy();
    await plain.destroy();
  });

  const compare = async (options: NetOptions, make?: MakeNet): Promise<{ worst: number; saved: number }> => {
    const [a, b] = [await runStep(fused, options, make), await runStep(plain, options, make)];
    const largest = Math.max(...[...b].flatMap(([name, data]) => (name.startsWith('grad') ? [...data] : [])));
    let worst = 0;
    for (const [name, expected] of b) {
      if (name === 'dispatches') continue;
      const least = name.startsWith('grad') ? largest : 1e-3;
      const error = relativeError(a.get(name) as Float32Array, expected, least);
      expect(error, `net ${options.seed}: ${name}`).toBeLessThan(2e-5);
      worst = Math.max(worst, error);
    }
    return { worst, saved: (b.get('dispatches')?.[0] ?? 0) - (a.get('dispatches')?.[0] ?? 0) };
  };

  it('keeps two averages of one activation apart', async () => {
    const { worst, saved } = await compare({ seed: 1, steps: 0, input: [2, 5, 4, 4] }, twoAverages);
    console.log(`two averages (${kind}): worst ${worst.toExponential(1)}, ${saved} dispatches saved`);
    expect(saved).toBeGreaterThan(0);
  });

  it('gives what the plan without fusion gives, on random nets', async () => {
    let worst = 0;
    let saved = 0;
    for (let seed = 0; seed < NETS[kind]; seed++) {
      const options: NetOptions = {
        seed,
        steps: 3 + (seed % 7),
        input: [2 + (seed % 2), 3 + (seed % 4), 6, 4],
      };
      const result = await compare(options);
      worst = Math.max(worst, result.worst);
      saved += result.saved;
    }
    console.log(
      `fused against plain (${kind}): worst ${worst.toExponential(1)} of the largest value, ${saved} dispatches saved`,
    );
  });
});
