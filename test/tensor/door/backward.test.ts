import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Device as Engine,
  gradcheck,
  mul,
  nn,
  optim,
  relu,
  sum,
  type Device,
  type Tensor,
} from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const leaf = (...elements: number[]): Tensor =>
  device.tensor(elements, [elements.length], { requiresGrad: true });

describe('backward', () => {
  it('takes options in the place of the gradient', async () => {
    const x = leaf(2, 3);
    const loss = sum(mul(x, x));
    loss.backward({ retainGraph: true });
    loss.backward();
    expect([...((await x.grad?.data()) ?? [])]).toEqual([8, 12]);
  });

  it('refuses what is no gradient and no option', () => {
    const x = leaf(2, 3);
    const y = mul(x, x);
    expect(() => y.backward()).toThrow('backward of a tensor of shape [2] needs a gradient of that shape');
    expect(() => y.backward([1, 1] as never)).toThrow('a gradient as a tensor, got [1, 1]');
    expect(() => y.backward(device.tensor(Int32Array.of(1, 1)))).toThrow('a gradient of f32, got i32');
    expect(() => y.backward(device.tensor([1]))).toThrow('the gradient is [1], the tensor [2]');
    expect(() => sum(y).backward({ retain_graph: true } as never)).toThrow("did you mean 'retainGraph'?");
  });

  it('says what a second one and a double one lack', () => {
    const x = leaf(2, 3);
    const loss = sum(mul(x, x));
    loss.backward();
    expect(() => loss.backward()).toThrow(/before, which let go of what it had saved: .*retainGraph: true/);
    expect(() => sum(x.grad as Tensor).backward()).toThrow('there is no double backward');
  });

  it('that is refused adds to no gradient', async () => {
    const [x, y] = [leaf(2), leaf(3)];
    const sgd = new optim.SGD([y], { lr: 1 });
    const loss = sum(mul(relu(x), mul(y, y)));
    sum(y).backward();
    sgd.step();
    expect(() => loss.backward()).toThrow('changed in place');
    expect(x.grad).toBeNull();
    expect(await y.grad?.data()).toEqual(Float32Array.of(1));
  });
});

describe('options elsewhere', () => {
  it('of devices, state dicts, gradcheck and learning rates are checked', async () => {
    await expect(Engine.create({ adapter: 'cpu' as never })).rejects.toThrow(
      "Device.create: adapter must be 'auto' or 'gpu' or 'software', got 'cpu'",
    );
    await expect(Engine.create({ fuse: true } as never)).rejects.toThrow("no option 'fuse'");
    const net = new nn.Linear(2, 1);
    expect(() => net.loadStateDict(new Map(), false as never)).toThrow('takes options as an object');
    await expect(gradcheck((x) => sum(x), [leaf(1)], { eps: 1 } as never)).rejects.toThrow("no option 'eps'");
    const adam = new optim.Adam([leaf(1)]);
    expect(() => (adam.lr = NaN)).toThrow('the learning rate must be a finite number of at least 0, got NaN');
    adam.lr = 0;
    expect(() => (device.tensor(Int32Array.of(1)).requiresGrad = true)).toThrow(
      'only f32 can require a gradient, got i32',
    );
  });
});
