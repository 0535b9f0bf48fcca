import '../../src/pixels.ts';
import { describe, expect, it } from 'vitest';
import { crossEntropy, DeviceLostError, mul, nn, noGrad, optim, relu, type Tensor } from '../../src/index.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import { Device } from '../../src/tensor/device.ts';
import { testAdapter, testProfile } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { randomStream } from '../../src/avsc/dataset/random.ts';

async function open(): Promise<{ gpuDevice: GPUDevice; device: Device }> {
  const { adapter } = await openNodeGpu({ adapter: testAdapter, profile: testProfile });
  const gpuDevice = await adapter.requestDevice(Device.descriptor(adapter));
  return { gpuDevice, device: await Device.create({ gpuDevice, poison: true }) };
}

const inputs = { data: normal('x', 4 * 6), shape: [4, 6] };
const labels = { data: Int32Array.of(0, 2, 1, 1), shape: [4] };

/** A net in training, and all the ways to call a device. */
function work(device: Device) {
  const net = new nn.Sequential([new nn.Linear(6, 5), new nn.ReLU(), new nn.Linear(5, 3)]).to(device);
  const adam = new optim.Adam(net.parameters(), { lr: 0.1 });
  const step = device.compile((x: Tensor, y: Tensor) => {
    adam.zeroGrad();
    const loss = crossEntropy(net.forward(x), y);
    loss.backward();
    adam.step();
    return loss;
  });
  const x = device.tensor([1, -2, 3]);
  const image = device.tensor(new Float32Array(12), [3, 2, 2]);
  const picture = { data: new Uint8Array(4 * 3 * 5), width: 3, height: 5 };
  const calls: Record<string, () => Promise<unknown>> = {
    'an eager op': async () => relu(device.tensor([1, -2])).data(),
    'a step and its result': async () => (await step(inputs, labels)).data(),
    'a read': () => x.data(),
    'a new op on an old tensor': () => mul(x, 3).data(),
    'a picture': async () => device.fromPixels(picture, { size: 2 }).data(),
    'a texture': () => mul(image, 2).toTexture(),
    'a buffer': async () => mul(x, 2).buffer(),
    sync: () => device.sync(),
    flush: () => (mul(x, 2), device.flush()),
    'a state dict': () => net.stateDict(),
    prepare: () => step.prepare(inputs, labels),
    encode: async () => {
      const encoder = device.gpu.device.createCommandEncoder();
      const loss = step.encode(encoder, inputs, labels);
      device.gpu.device.queue.submit([encoder.finish()]);
      return loss.data();
    },
    'another step': async () => (await device.compile((a: Tensor) => relu(a))([1, 2])).data(),
  };
  return { net, adam, calls };
}

describe('a device that is lost', () => {
  it('at 20 random moments lets every call reject with one sentence', async () => {
    const random = randomStream(2, 'moments');
    let rejected = 0;
    let done = 0;
    for (let moment = 0; moment < 20; moment++) {
      const { gpuDevice, device } = await open();
      const { calls } = work(device);
      const kinds = Object.entries(calls);
      const pending: Promise<unknown>[] = [];
      const at = Math.floor(random() * 40);
      for (let i = 0; i < 60; i++) {
        if (i === at) gpuDevice.destroy();
        const [name, call] = kinds[Math.floor(random() * kinds.length)] ?? [
          'none',
          () => Promise.reject(new Error()),
        ];
        // `encode` wants an idle device.
        if (name === 'encode') await Promise.allSettled(pending);
        const outcome = call().then(
          () => {
            done++;
          },
          (error: unknown) => {
            rejected++;
            if (name === 'encode' && String(error).includes('await step.prepare')) return;
            expect(error, `${name} at ${moment}`).toBeInstanceOf(DeviceLostError);
            expect(String(error)).toMatch(/^DeviceLostError: the device was lost \(destroyed\)[^\n]*$/);
          },
        );
        pending.push(outcome);
        if (random() < 0.3) await outcome;
      }
      await Promise.all(pending);
      expect(await device.lost).toMatchObject({ reason: 'destroyed' });
      for (const [name, call] of kinds) await expect(call(), name).rejects.toThrow(DeviceLostError);
      expect(() => device.tensor([1])).toThrow('the device was lost (destroyed)');
      await device.destroy();
    }
    console.log(`${done} calls done, ${rejected} rejected`);
    expect(done).toBeGreaterThan(20);
    expect(rejected).toBeGreaterThan(200);
  }, 120_000);

  it('is followed by another one, to which a net moves with its state dict', async () => {
    const first = await open();
    const { net, calls } = work(first.device);
    await calls['a step and its result']?.();
    const state = await net.stateDict();
    const forward = (): Tensor => noGrad(() => net.forward(first.device.tensor(inputs.data, inputs.shape)));
    const want = [...(await forward().data())];
    first.gpuDevice.destroy();
    await first.device.lost;
    const second = await open();
    expect(() => net.to(second.device)).toThrow('net.to(device, state)');
    const short = new Map([...state].slice(1));
    expect(() => net.to(second.device, short)).toThrow(RangeError);
    net.to(second.device, state);
    const x = second.device.tensor(inputs.data, inputs.shape);
    expect([...(await noGrad(() => net.forward(x)).data())]).toEqual(want);
    // What was made for the other device says so.
    await expect(calls['a step and its result']?.()).rejects.toThrow(/device/);
    const adam = new optim.Adam(net.parameters(), { lr: 0.1 });
    const loss = net.forward(x).square().mean();
    const before = await loss.item();
    loss.backward();
    adam.step();
    expect(await net.forward(x).square().mean().item()).toBeLessThan(before);
    await first.device.destroy();
    await second.device.destroy();
    second.gpuDevice.destroy();
  });

  it('is not needed for a net to move', async () => {
    const [first, second] = [await open(), await open()];
    const { net } = work(first.device);
    const run = first.device.compile((x: Tensor) => noGrad(() => net.forward(x)));
    const want = [...(await (await run(inputs)).data())];
    net.to(second.device, await net.stateDict());
    await expect(run(inputs)).rejects.toThrow(/device/);
    const again = second.device.compile((x: Tensor) => noGrad(() => net.forward(x)));
    expect([...(await (await again(inputs)).data())]).toEqual(want);
    for (const { device, gpuDevice } of [first, second]) {
      await device.destroy();
      gpuDevice.destroy();
    }
  });
});
