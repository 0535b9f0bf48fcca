import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crossEntropy, indexSelect, mul, sum, type Device, type Tensor } from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

describe('inputs of a compiled function', () => {
  it('that are too short or too long are refused', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2));
    await step({ data: Float32Array.of(1, 2, 3), shape: [3] });
    await expect(step({ data: Float32Array.of(1, 2), shape: [3] })).rejects.toThrow(
      'input 0: shape [3] has 3 elements, the data 2',
    );
    await expect(step({ data: new Float32Array(5), shape: [3] })).rejects.toThrow('the data 5');
    step.dispose();
  });

  it('of another dtype are traced anew', async () => {
    const step = device.compile((x: Tensor) => mul(x, 3));
    expect(await list(await step({ data: Float32Array.of(1.5), shape: [1] }))).toEqual([4.5]);
    const whole = await step({ data: Int32Array.of(-7), shape: [1] });
    expect(whole.dtype).toBe('i32');
    expect(await list(whole)).toEqual([-21]);
    step.dispose();
  });

  it('may be numbers, arrays, nested arrays and typed arrays', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2));
    expect(await (await step(3)).item()).toBe(6);
    expect(await list(await step([1, 2]))).toEqual([2, 4]);
    const nested = await step([
      [1, 2],
      [3, 4],
    ]);
    expect(nested.shape).toEqual([2, 2]);
    expect(await list(nested)).toEqual([2, 4, 6, 8]);
    expect(await list(await step(Float64Array.of(0.5)))).toEqual([1]);
    await expect(step('1' as never)).rejects.toThrow('input 0');
    await expect(step(undefined as never)).rejects.toThrow('input 0');
    step.dispose();
  });

  it('that change after the call and before its first run are taken as they were', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2));
    const data = Float32Array.of(1, 2);
    const first = step({ data, shape: [2] });
    data.fill(9);
    const second = step({ data, shape: [2] });
    data.fill(-1);
    expect(await list(await first)).toEqual([2, 4]);
    expect(await list(await second)).toEqual([18, 18]);
    step.dispose();
  });
});

describe('class labels and indices out of range', () => {
  const logits = () => device.tensor(new Float32Array(6), [2, 3]);

  it('are refused where they come from the host', () => {
    expect(() => crossEntropy(logits(), device.tensor(Int32Array.of(0, 3)))).toThrow(
      'crossEntropy: class 3 is outside 0 to 2',
    );
    expect(() => crossEntropy(logits(), device.tensor(Int32Array.of(-1, 2)))).toThrow('class -1');
    expect(() => indexSelect(logits(), 0, device.tensor(Int32Array.of(2)))).toThrow(
      'indexSelect: index 2 is outside 0 to 1',
    );
    // Seen in another shape they are still known.
    const column = device.tensor(Int32Array.of(5, 0), [2, 1]);
    expect(() => crossEntropy(logits(), column.reshape([2]))).toThrow('class 5');
  });

  it('also in each call of a compiled function, which changes nothing then', async () => {
    const w = device.tensor(new Float32Array(6), [2, 3], { requiresGrad: true });
    const step = device.compile((labels: Tensor) => {
      const loss = crossEntropy(w, labels);
      loss.backward();
      return loss;
    });
    await step(Int32Array.of(0, 2));
    const before = await w.grad?.data();
    await expect(step(Int32Array.of(0, 3))).rejects.toThrow('crossEntropy: class 3 is outside 0 to 2');
    await expect(step(device.tensor(Int32Array.of(0, -2)))).rejects.toThrow('class -2');
    expect(await w.grad?.data()).toEqual(before);
    step.dispose();
  });

  it('that the device computed give NaN', async () => {
    const labels = mul(device.tensor(Int32Array.of(0, 2)), 2);
    expect(await sum(crossEntropy(logits(), labels)).item()).toBeNaN();
  });
});
