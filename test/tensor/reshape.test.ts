import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  avgPool2d,
  batchNorm2d,
  concat,
  conv2d,
  maxPool2d,
  mul,
  relu,
  reshape,
  sum,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';

/*
 * A value seen in another shape, beside everything that fuses: the result must be what each op by itself gives.
 */

type Family = 'cpu' | 'gpu';
let oracle: Device;
const fused = new Map<Family, Device>();
beforeAll(async () => {
  oracle = await testDevice({ fusion: false });
  for (const kind of ['cpu', 'gpu'] as const) fused.set(kind, await testDevice({ fusion: true, kind }));
});
afterAll(async () => {
  for (const device of [oracle, ...fused.values()]) await device.destroy();
});

const values = (name: string, shape: readonly number[]): Float32Array =>
  hashValues(
    `reshape/${name}`,
    shape.reduce((a, b) => a * b, 1),
    'normal',
  ) as Float32Array;

interface Leaves {
  (name: string, shape: readonly number[]): Tensor;
}

const norm = (x: Tensor, eps = 1e-5): Tensor => batchNorm2d(x, { training: true, eps });

const PROGRAMS: Readonly<Record<string, (leaf: Leaves) => Tensor>> = {
  'conv, reshape, conv': (leaf) => {
    const y = relu(norm(conv2d(leaf('x', [2, 4, 6, 4]), leaf('w', [8, 4, 3, 3]), { padding: 1 })));
    return conv2d(reshape(y, [2, 8, 4, 6]), leaf('v', [3, 8, 3, 3]));
  },
  'norm and relu, reshape, conv': (leaf) =>
    conv2d(reshape(relu(norm(leaf('x', [2, 4, 6, 4]))), [2, 8, 3, 4]), leaf('w', [5, 8, 1, 1])),
  'norm and relu, reshape, max pool': (leaf) =>
    maxPool2d(reshape(relu(norm(leaf('x', [2, 4, 6, 4]))), [2, 2, 6, 8]), { kernelSize: 2 }),
  'norm and relu, reshape, average pool': (leaf) =>
    avgPool2d(reshape(relu(norm(leaf('x', [2, 4, 6, 4]))), [4, 4, 6, 2]), { kernelSize: 2 }),
  'convs, concat, reshape, norm': (leaf) => {
    const x = leaf('x', [2, 4, 6, 4]);
    const parts = ['a', 'b'].map((name) => conv2d(x, leaf(name, [3, 4, 1, 1])));
    return relu(norm(reshape(concat(parts, 1), [2, 3, 12, 4])));
  },
  'reshape as a part of a concat': (leaf) => {
    const y = conv2d(leaf('x', [2, 4, 6, 4]), leaf('w', [6, 4, 1, 1]));
    return relu(norm(concat([reshape(y, [2, 4, 6, 6]), leaf('z', [2, 3, 6, 6])], 1)));
  },
  'a 1x1 conv, reshape, average': (leaf) =>
    avgPool2d(reshape(conv2d(leaf('x', [2, 4, 6, 4]), leaf('w', [8, 4, 1, 1])), [2, 4, 8, 6]), {
      kernelSize: 2,
    }),
  'instance norm as batch norm of [1, N C, H, W]': (leaf) => {
    const y = conv2d(leaf('x', [3, 4, 5, 5]), leaf('w', [6, 4, 3, 3]), { padding: 1 });
    return reshape(relu(norm(reshape(y, [1, 18, 5, 5]))), [3, 6, 5, 5]);
  },
  'a norm of a value and of its reshape': (leaf) => {
    const y = conv2d(leaf('x', [2, 4, 6, 4]), leaf('w', [4, 4, 1, 1]));
    return mul(norm(y), reshape(norm(reshape(y, [1, 8, 6, 4])), [2, 4, 6, 4]));
  },
  'two norms of one value with different eps': (leaf) => {
    const y = conv2d(leaf('x', [2, 4, 6, 4]), leaf('w', [5, 4, 1, 1]));
    return mul(norm(y, 0.5), norm(y, 1e-5));
  },
};

async function run(device: Device, program: (leaf: Leaves) => Tensor): Promise<Map<string, Float32Array>> {
  const leaves = new Map<string, Tensor>();
  // In a scope, since values that somebody can ask for are not fused away.
  const [y] = device.scope(() => {
    const result = program((name, shape) => {
      const leaf = device.tensor(values(name, shape), shape, { requiresGrad: true });
      leaves.set(name, leaf);
      return leaf;
    });
    return [result, ...leaves.values()] as const;
  });
  sum(mul(y, device.tensor(values('weights', y.shape), y.shape))).backward();
  const results = new Map([['y', (await y.data()) as Float32Array]]);
  for (const [name, leaf] of leaves) results.set(name, (await leaf.grad?.data()) as Float32Array);
  return results;
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.map((value, i) => value - (b[i] ?? NaN))) / Math.hypot(...b);

describe.each(['cpu', 'gpu'] as const)('a reshape beside what fuses (%s kernels)', (kind) => {
  it.each(Object.entries(PROGRAMS))('%s', async (_, program) => {
    const device = fused.get(kind) as Device;
    const [results, expected] = [await run(device, program), await run(oracle, program)];
    let worst = 0;
    for (const [name, value] of expected)
      worst = Math.max(worst, distance(results.get(name) as Float32Array, value));
    // Rounding of norms over 40 to 96 values; measured at most 1.1e-6.
    expect(worst).toBeLessThan(5e-6);
  });
});
