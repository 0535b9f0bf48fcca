import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { matmul, mean, nn, optim, relu, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));

async function bytesHeld(): Promise<number> {
  await device.sync();
  return device.counters.bytesHeld;
}

/** Bytes that repeated work holds in the end beyond what it held after the first times. */
async function growth(work: () => Promise<void>, { warm = 3, times = 20 } = {}): Promise<number> {
  for (let i = 0; i < warm; i++) await work();
  const before = await bytesHeld();
  for (let i = 0; i < times; i++) await work();
  return (await bytesHeld()) - before;
}

/** Has garbage collected, and its finalisers run. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await device.sync();
}

const INPUT = { data: ramp(40), shape: [5, 8] };

/** A layer, its optimiser and a step that trains it. */
function training(): { step: (x: Tensor) => Tensor; dispose: () => void } {
  const layer = new nn.Linear(8, 8).to(device);
  const adam = new optim.Adam(layer.parameters());
  return {
    step: (x) => {
      adam.zeroGrad();
      const loss = mean(relu(layer.forward(x)));
      loss.backward();
      adam.step();
      return loss;
    },
    dispose: () => {
      adam.dispose();
      layer.dispose();
    },
  };
}

describe('a replay', () => {
  it('creates nothing and does the same work, 50 times', async () => {
    const { step, dispose } = training();
    const compiled = device.compile(step);
    for (let i = 0; i < 5; i++) await (await compiled(INPUT)).item();
    await device.sync();
    const before = device.counters;
    await compiled(INPUT);
    await device.sync();
    const one = device.counters;
    for (let i = 0; i < 50; i++) await compiled(INPUT);
    await device.sync();
    const after = device.counters;
    const { submits, dispatches, ...created } = after;
    expect(created).toEqual({ ...one, submits: undefined, dispatches: undefined });
    expect(submits - one.submits).toBe(50 * (one.submits - before.submits));
    expect(dispatches - one.dispatches).toBe(50 * (one.dispatches - before.dispatches));
    compiled.dispose();
    dispose();
  });

  it('holds no more when shapes alternate', async () => {
    const { step, dispose } = training();
    const compiled = device.compile(step);
    const work = async (): Promise<void> => {
      await compiled(INPUT);
      await (await compiled({ data: ramp(24), shape: [3, 8] })).item();
    };
    expect(await growth(work)).toBe(0);
    expect(compiled.traces).toBe(2);
    compiled.dispose();
    dispose();
  });
});

describe('memory comes back', () => {
  it('when compiled functions are disposed', async () => {
    const { step, dispose } = training();
    const work = async (): Promise<void> => {
      const compiled = device.compile(step);
      await compiled(INPUT);
      await (await compiled(INPUT)).item();
      compiled.dispose();
    };
    expect(await growth(work)).toBe(0);
    dispose();
  });

  it('when they are dropped and collected', async () => {
    const { step, dispose } = training();
    const work = async (): Promise<void> => {
      await (await device.compile(step)(INPUT)).item();
    };
    const many = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await work();
      await collectGarbage();
    };
    expect(await growth(many, { warm: 1, times: 2 })).toBe(0);
    dispose();
  });

  it('when a compiled function, its optimiser and its parameters are disposed with a call under way', async () => {
    const work = async (): Promise<void> => {
      const { step, dispose } = training();
      const compiled = device.compile(step);
      const call = compiled(INPUT);
      compiled.dispose();
      dispose();
      await call;
    };
    expect(await growth(work)).toBe(0);
  });

  it('when tracing fails', async () => {
    const { step, dispose } = training();
    const work = async (): Promise<void> => {
      const compiled = device.compile((x: Tensor) => {
        step(x);
        throw new Error('on purpose');
      });
      await expect(compiled(INPUT)).rejects.toThrow('on purpose');
      compiled.dispose();
    };
    expect(await growth(work)).toBe(0);
    dispose();
  });

  it('after each step of an eager training whose intermediate tensors are in a scope', async () => {
    const { step, dispose } = training();
    const work = async (): Promise<void> => {
      const x = device.tensor(INPUT.data, INPUT.shape);
      const loss = device.scope(() => step(x));
      await loss.item();
      loss.dispose();
      x.dispose();
    };
    expect(await growth(work)).toBe(0);
    dispose();
  });

  it('after whole trainings', async () => {
    const work = async (): Promise<void> => {
      const { step, dispose } = training();
      const compiled = device.compile(step);
      for (let i = 0; i < 3; i++) await compiled(INPUT);
      compiled.dispose();
      dispose();
    };
    expect(await growth(work)).toBe(0);
  });

  it('of results that nobody reads', async () => {
    const x = device.tensor(ramp(64), [8, 8]);
    const work = (): Promise<void> => {
      device.scope(() => matmul(x, x));
      return Promise.resolve();
    };
    expect(await growth(work)).toBe(0);
    x.dispose();
  });
});
