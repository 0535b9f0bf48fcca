import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planModel } from '../../bench/model.ts';
import { PROFILES } from '../../src/gpu/profile.ts';
import { matmul, mean, nn, relu, type Device, type Tensor } from '../../src/index.ts';
import { SGD } from '../../src/nn/optim/index.ts';
import { normal } from '../support/hash.ts';
import { testDevice } from '../support/engine.ts';

const values = (name: string, length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(normal(name, length));

describe('plans for an H100', () => {
  it('of f16 hold and move about half', () => {
    const target = { name: 'h100', geometry: PROFILES.h100 };
    const [f32, f16] = (['f32', 'f16'] as const).map(
      (precision) => planModel(target, 'densenet161', 64, { precision }).plan,
    );
    const share = (of: 'arenaBytes' | 'bytesMoved'): number => (f16?.[of] ?? NaN) / (f32?.[of] ?? NaN);
    console.log(
      `DenseNet161, batch 64, f16 of f32: memory ${share('arenaBytes').toFixed(3)}, moved ${share('bytesMoved').toFixed(3)}`,
    );
    expect(share('arenaBytes')).toBeLessThan(0.55);
    expect(share('bytesMoved')).toBeLessThan(0.6);
  });
});

describe('f16', () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice();
  });
  afterAll(() => device.destroy());

  it('is refused by another name, and is f32 where there is no shader-f16', () => {
    expect(() => device.compile(() => undefined, { precision: 'half' as 'f16' })).toThrow("'f32' or 'f16'");
    const { precision } = device.compile(() => undefined, { precision: 'f16' });
    expect(precision).toBe(device.gpu.geometry.f16 ? 'f16' : 'f32');
  });

  it('keeps copies of weights that follow every change of them', async ({ skip }) => {
    skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
    const net = new nn.Sequential(new nn.Conv2d(3, 5, 3), new nn.ReLU(), new nn.Conv2d(5, 7, 1)).to(device);
    const x = device.tensor(values('x', 2 * 3 * 36), [2, 3, 6, 6]);
    const evaluate = device.compile((x) => mean(relu(net.forward(x))), { precision: 'f16' });
    const exact = device.compile((x) => mean(relu(net.forward(x))));
    const follows = async (): Promise<void> => {
      const [a, b] = [await (await evaluate(x)).item(), await (await exact(x)).item()];
      expect(Math.abs(a - b)).toBeLessThan(2e-3 * Math.max(1, Math.abs(b)));
      console.log(`copies of weights: ${Math.abs(a - b).toExponential(1)} off`);
    };
    await follows();
    const { dispatches } = device.counters;
    await evaluate(x);
    const replayed = device.counters.dispatches - dispatches;
    expect(replayed).toBe(evaluate.statistics().dispatches - 2); // The copies were current.
    const state = await net.stateDict();
    net.loadStateDict(
      new Map([...state].map(([key, { shape, data }]) => [key, { shape, data: data.map((v) => 2 * v) }])),
    );
    await follows();
    // An optimiser moves the parameters into a vector of its own, and changes them.
    const sgd = new SGD(net.parameters(), { lr: 0.5 });
    await follows();
    const train = device.compile(
      (x) => {
        sgd.zeroGrad();
        const loss = mean(relu(net.forward(x)));
        loss.backward();
        sgd.step();
        return loss;
      },
      { precision: 'f16' },
    );
    for (let i = 0; i < 4; i++) {
      const before = await (await exact(x)).item();
      const ran = device.counters.dispatches;
      const loss = await (await train(x)).item();
      // Its own update writes the copy that it reads in the next call.
      expect(device.counters.dispatches - ran).toBe(train.statistics().dispatches - (i === 0 ? 0 : 1));
      expect(Math.abs(loss - before)).toBeLessThan(2e-3 * Math.max(1, before));
      await follows();
    }
    const newer = new SGD(net.parameters(), { lr: 0.5 });
    await follows();
    newer.dispose();
    for (const step of [evaluate, exact, train]) step.dispose();
  });

  it('reads a weight that the plan changes on its way as it then is', async ({ skip }) => {
    skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
    const run = async (precision: 'f32' | 'f16'): Promise<ArrayLike<number>> => {
      const linear = new nn.Linear(4, 3).to(device);
      linear.loadStateDict(
        new Map([
          ['weight', { shape: [3, 4], data: values('w', 12) }],
          ['bias', { shape: [3], data: values('b', 3) }],
        ]),
      );
      const sgd = new SGD(linear.parameters(), { lr: 1 });
      const x = device.tensor(values('rows', 8), [2, 4]);
      const step = device.compile(
        (x: Tensor) => {
          sgd.zeroGrad();
          mean(linear.forward(x)).backward();
          sgd.step();
          return linear.forward(x);
        },
        { precision },
      );
      return (await step(x)).data();
    };
    const [f16, f32] = [await run('f16'), await run('f32')];
    Array.from(f32).forEach((value, i) => expect(f16[i]).toBeCloseTo(value, 2));
  });

  it('runs products on matrix units, whatever they read', async ({ skip }) => {
    const gpu = await testDevice({ kind: 'gpu', fusion: true, matrices: true });
    try {
      skip(gpu.gpu.geometry.matrices.length === 0, 'this adapter has no subgroup matrices');
      const net = new nn.Sequential(
        new nn.Conv2d(3, 9, 3, { padding: 1, bias: false }),
        new nn.BatchNorm2d(9),
        new nn.ReLU(),
        new nn.Conv2d(9, 5, 1),
      ).to(gpu);
      const x = gpu.tensor(values('pictures', 2 * 3 * 49), [2, 3, 7, 7]);
      const run = async (precision: 'f32' | 'f16'): Promise<Float32Array[]> => {
        const labels: string[] = [];
        const step = gpu.compile(
          (x) => {
            for (const parameter of net.parameters()) parameter.clearGrad();
            const y = net.forward(x);
            mean(relu(y)).backward();
            return y;
          },
          { precision },
        );
        const out = (await (await step(x)).data()) as Float32Array;
        step.plan([x], {
          onDispatch: ({ code, label }) => code.includes('subgroupMatrixMultiply') && labels.push(label),
        });
        expect(labels.map((label) => label.split(' ').slice(0, 3).join(' ')).sort()).toEqual(
          precision === 'f32'
            ? []
            : [
                'conv2d backward data',
                'conv2d backward weight',
                'conv2d backward weight',
                'conv2d forward 1x1',
                'conv2d forward 3x3',
              ],
        );
        const gradients: Float32Array[] = [];
        for (const { grad } of net.parameters())
          if (grad !== null) gradients.push((await grad.data()) as Float32Array);
        return [out, ...gradients];
      };
      const [full, half] = [await run('f32'), await run('f16')];
      const errors = full.map((expected, i) => {
        const [difference, norm] = [0, 1].map((kind) =>
          Math.hypot(
            ...Array.from(expected, (value, k) => (kind === 0 ? value - (half[i]?.[k] ?? NaN) : value)),
          ),
        );
        return (difference ?? NaN) / Math.max(norm ?? 0, 1e-6);
      });
      console.log(`matrix units: ${errors.map((error) => error.toExponential(1)).join(', ')} off f32`);
      // The bias of a convolution before nothing, sums and maps alike: a few roundings to 11 bits.
      for (const error of errors) expect(error).toBeLessThan(2e-2);
    } finally {
      await gpu.destroy();
    }
  });

  it('takes products of maps that lie outside and inside', async ({ skip }) => {
    skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
    const a = device.tensor(values('a', 35), [5, 7]);
    const b = device.tensor(values('b', 21), [7, 3]);
    const step = device.compile((a, b) => matmul(relu(matmul(a, b)), relu(b), { transposeB: true }), {
      precision: 'f16',
    });
    const exact = device.compile((a, b) => matmul(relu(matmul(a, b)), relu(b), { transposeB: true }));
    const [half, full] = [await (await step(a, b)).data(), await (await exact(a, b)).data()];
    Array.from(full).forEach((value, i) => expect(Math.abs((half[i] ?? NaN) - value)).toBeLessThan(2e-2));
  });
});
