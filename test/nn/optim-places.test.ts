import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mul, nn, optim, sum, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

/* Where parameters and gradients lie is the engine's business: whoever moves them, results stay. */

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const leaf = (...elements: number[]): Tensor =>
  device.tensor(elements, [elements.length], { requiresGrad: true });

const list = async (tensor: Tensor | null | undefined): Promise<number[]> => [
  ...((await tensor?.data()) ?? []),
];

describe('an optimiser that is made while work is pending', () => {
  it('leaves what was recorded before right', async () => {
    const p = leaf(1, 2);
    const y = mul(p, 10);
    new optim.SGD([p], { lr: 1 });
    expect(await list(y)).toEqual([10, 20]);
    expect(await list(p)).toEqual([1, 2]);
  });

  it('keeps weights that were loaded just before', async () => {
    const net = new nn.Linear(2, 1, { bias: false }).to(device);
    net.loadStateDict(new Map([['weight', { shape: [1, 2], data: Float32Array.of(3, 4) }]]));
    new optim.SGD(net.parameters(), { lr: 1 });
    expect(await list(net.weight.tensor)).toEqual([3, 4]);
  });

  it('while a compiled step that nobody has awaited still runs', async () => {
    const p = leaf(1, 2);
    const step = device.compile((x: Tensor) => mul(p, x));
    const results = [1, 2, 3].map((factor) => step({ data: Float32Array.of(factor, factor), shape: [2] }));
    const sgd = new optim.SGD([p], { lr: 1 });
    sum(mul(p, 2)).backward();
    sgd.step();
    expect(await Promise.all(results.map(async (result) => list(await result)))).toEqual([
      [1, 2],
      [2, 4],
      [3, 6],
    ]);
    expect(await list(p)).toEqual([-1, 0]);
    step.dispose();
  });
});

describe('an optimiser reads the gradient where it is', () => {
  it('of a backward compiled before it was made', async () => {
    const p = leaf(1, 2);
    const backward = device.compile((x: Tensor) => {
      p.clearGrad();
      sum(mul(p, x)).backward();
    });
    await backward([3, 4]);
    const sgd = new optim.SGD([p], { lr: 1 });
    await backward([1, 1]);
    sgd.step();
    expect(await list(p)).toEqual([0, 1]);
    backward.dispose();
  });

  it('when it replaces another', async () => {
    const p = leaf(1, 2);
    const first = new optim.SGD([p], { lr: 1 });
    const backward = device.compile(() => {
      p.clearGrad();
      sum(mul(p, 2)).backward();
    });
    await backward();
    first.step();
    const second = new optim.SGD([p], { lr: 0.5 });
    first.dispose();
    await backward();
    second.step();
    expect(await list(p)).toEqual([-2, -1]);
    backward.dispose();
  });

  it('when a newer one has moved parameter and gradient elsewhere', async () => {
    const p = leaf(1, 2);
    const first = new optim.SGD([p], { lr: 1, momentum: 0.5 });
    const step = device.compile(() => {
      first.zeroGrad();
      sum(mul(p, 2)).backward();
      first.step();
    });
    await step();
    expect(await list(p)).toEqual([-1, 0]);
    const second = new optim.SGD([p], { lr: 0.5 });
    await step();
    expect(await list(p)).toEqual([-4, -3]);
    second.step();
    expect(await list(p)).toEqual([-5, -4]);
    first.step();
    expect(await list(p)).toEqual([-8.5, -7.5]);
    step.dispose();
  });

  it('when p.grad is assigned', async () => {
    const p = leaf(1, 2);
    const sgd = new optim.SGD([p], { lr: 1 });
    p.grad = device.tensor([5, 6]);
    sgd.step();
    expect(await list(p)).toEqual([-4, -4]);
    sum(p).backward();
    expect(await list(p.grad)).toEqual([6, 7]);
    sgd.step();
    expect(await list(p)).toEqual([-10, -11]);
    expect(() => (p.grad = device.tensor([1, 2, 3]))).toThrow('[3] cannot belong to a tensor of [2]');
  });

  it('of a parameter that was frozen when the optimiser was made', async () => {
    const [p, q] = [leaf(5, 7), leaf(3, 4)];
    q.requiresGrad = false;
    const adam = new optim.Adam([p, q], { lr: 1 });
    const step = device.compile(() => {
      adam.zeroGrad();
      sum(mul(p, q)).backward();
      adam.step();
    });
    await step();
    expect(await list(q)).toEqual([3, 4]);
    q.requiresGrad = true;
    await step();
    expect((await list(q)).map(Math.round)).toEqual([2, 3]);
    expect([...(await adam.stateDict()).keys()]).toContain('1.exp_avg');
    step.dispose();
  });
});

describe('Adam counts the steps of each parameter', () => {
  /** By the formula, with a gradient of 1 at each step p takes. */
  const afterSteps = (p: number, lr: number, steps: number): number => p - lr * steps;

  it('in compiled steps that update different parameters in turn', async () => {
    const [p, q] = [leaf(1), leaf(1)];
    const adam = new optim.Adam([p, q], { lr: 0.1 });
    const stepOn = (...tensors: Tensor[]) =>
      device.compile(() => {
        adam.zeroGrad();
        for (const tensor of tensors) sum(tensor).backward();
        adam.step();
      });
    const [onP, onBoth] = [stepOn(p), stepOn(p, q)];
    await onBoth();
    await onP();
    await onBoth();
    await onP();
    await onBoth();
    expect((await list(p))[0]).toBeCloseTo(afterSteps(1, 0.1, 5), 5);
    expect((await list(q))[0]).toBeCloseTo(afterSteps(1, 0.1, 3), 5);
    const state = await adam.stateDict();
    expect([state.get('0.step')?.data[0], state.get('1.step')?.data[0]]).toEqual([5, 3]);
    onP.dispose();
    onBoth.dispose();
  });

  it('in two steps of one compiled function, on different parameters', async () => {
    const [p, q] = [leaf(1), leaf(1)];
    const adam = new optim.Adam([p, q], { lr: 0.1 });
    const twice = device.compile(() => {
      adam.zeroGrad();
      sum(p).backward();
      adam.step();
      adam.zeroGrad();
      sum(mul(p, q)).backward();
      adam.step();
    });
    for (let i = 0; i < 3; i++) await twice();
    const state = await adam.stateDict();
    expect([state.get('0.step')?.data[0], state.get('1.step')?.data[0]]).toEqual([6, 3]);
    // The same without compiling.
    const [r, s] = [leaf(1), leaf(1)];
    const eager = new optim.Adam([r, s], { lr: 0.1 });
    for (let i = 0; i < 3; i++) {
      for (const loss of [() => sum(r), () => sum(mul(r, s))]) {
        eager.zeroGrad();
        loss().backward();
        eager.step();
      }
    }
    expect(await list(p)).toEqual(await list(r));
    expect(await list(q)).toEqual(await list(s));
    twice.dispose();
  });
});

describe('changes in place', () => {
  it('backward through a parameter that a step changed is refused', async () => {
    const [p, q] = [leaf(1, 2), leaf(3, 4)];
    const sgd = new optim.SGD([p], { lr: 1 });
    const loss = sum(mul(p, q));
    sum(p).backward();
    sgd.step();
    expect(() => {
      loss.backward();
    }).toThrow(/changed in place/);
    // A sum saves nothing of it.
    const plain = sum(p);
    sgd.step();
    plain.backward();
    await device.sync();
  });

  it('also where a compiled step or loaded weights did it', async () => {
    const net = new nn.Linear(2, 1, { bias: false }).to(device);
    const sgd = new optim.SGD(net.parameters(), { lr: 1 });
    const x = leaf(1, 2);
    const step = device.compile(() => {
      sgd.zeroGrad();
      sum(net.weight.tensor).backward();
      sgd.step();
    });
    await step();
    const first = sum(net.forward(x));
    await step();
    expect(() => {
      first.backward();
    }).toThrow(/changed in place/);
    const second = sum(net.forward(x));
    net.loadStateDict(await net.stateDict());
    expect(() => {
      second.backward();
    }).toThrow(/changed in place/);
    step.dispose();
  });

  it('clipping in one compiled function for a step in another is refused', async () => {
    const p = leaf(3, 4);
    const sgd = new optim.SGD([p], { lr: 1 });
    const clip = device.compile(() => {
      sgd.zeroGrad();
      sum(mul(p, p)).backward();
      return sgd.clipGradNorm(1);
    });
    const step = device.compile(() => sgd.step());
    for (let i = 0; i < 2; i++) {
      expect(await (await clip()).item()).toBe(10);
      await expect(step()).rejects.toThrow('clipGradNorm was called in a compiled function');
    }
    sgd.zeroGrad();
    sum(mul(p, p)).backward();
    sgd.clipGradNorm(1);
    await step();
    expect(await list(p)).toEqual([expect.closeTo(2.4, 5), expect.closeTo(3.2, 5)]);
    clip.dispose();
    step.dispose();
  });

  it('a gradient norm without gradients is 0', async () => {
    const sgd = new optim.SGD([leaf(1, 2)], { lr: 1 });
    expect(await sgd.clipGradNorm(1).item()).toBe(0);
  });
});
