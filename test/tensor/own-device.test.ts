import { afterEach, describe, expect, it } from 'vitest';
import { mul, relu, type Tensor } from '../../src/index.ts';
import { Device } from '../../src/tensor/device.ts';
import { BufferUsage } from '../../src/gpu/flags.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import { testAdapter, testProfile } from '../support/device.ts';

/* On a device of the caller's: its errors are the caller's, and what becomes of it is told. */

async function ownDevice(): Promise<GPUDevice> {
  const { adapter } = await openNodeGpu({ adapter: testAdapter, profile: testProfile });
  return adapter.requestDevice();
}

let gpuDevice: GPUDevice | undefined;
afterEach(() => gpuDevice?.destroy());

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

describe('a device of the caller', () => {
  it("an error of the caller's own does not reject what we read, and reaches the caller", async () => {
    gpuDevice = await ownDevice();
    const errors: string[] = [];
    gpuDevice.addEventListener('uncapturederror', (event) => errors.push(event.error.message));
    const device = await Device.create({ gpuDevice });
    const y = mul(device.tensor([1, 2]), 3);
    // Larger than any device allows.
    gpuDevice.createBuffer({ label: 'of the caller', size: 2 ** 50, usage: BufferUsage.STORAGE });
    expect(await list(y)).toEqual([3, 6]);
    await gpuDevice.queue.onSubmittedWorkDone();
    expect(errors.join()).toContain('of the caller');
    await device.destroy();
  });

  it('needs no adapterInfo', async () => {
    gpuDevice = await ownDevice();
    Object.defineProperty(gpuDevice, 'adapterInfo', { value: undefined });
    const device = await Device.create({ gpuDevice });
    expect(device.description.name).toBe('unnamed adapter');
    expect(await list(relu(device.tensor([-1, 2])))).toEqual([0, 2]);
    await device.destroy();
  });

  it('that is lost rejects flushes, steps and reads with the reason', async () => {
    gpuDevice = await ownDevice();
    const device = await Device.create({ gpuDevice });
    const step = device.compile((x: Tensor) => mul(x, 2));
    const y = await step([1, 2]);
    gpuDevice.destroy();
    await gpuDevice.lost;
    relu(y);
    await expect(device.flush()).rejects.toThrow('the device was lost (destroyed)');
    await expect(step([3, 4])).rejects.toThrow('the device was lost');
    await expect(y.data()).rejects.toThrow('the device was lost');
    await expect(device.sync()).rejects.toThrow('the device was lost');
  });
});

describe('compiled functions that are dropped', () => {
  it('without dispose() give their memory back when they are collected', async () => {
    gpuDevice = await ownDevice();
    const device = await Device.create({ gpuDevice });
    const { gc } = globalThis as { gc?: () => void };
    if (gc === undefined) throw new Error('this test needs node --expose-gc: see vitest.config.ts');
    const makeAndDrop = async (): Promise<void> => {
      const step = device.compile((x: Tensor) => relu(mul(x, 2)));
      await (await step(new Float32Array(100_000))).data();
    };
    await makeAndDrop();
    const before = device.counters.bytesHeld;
    for (let i = 0; i < 100; i++) {
      await makeAndDrop();
      // Ten of them hold 20 MB.
      if (i % 10 < 9) continue;
      gc();
      // Finalizers run as tasks of their own.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await device.sync();
    // 100 of them hold 200 MB.
    expect(device.counters.bytesHeld - before).toBeLessThan(32 * 2 ** 20);
    await device.destroy();
  });
});
