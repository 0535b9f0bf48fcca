// The page's side of test/browser.test.ts, which calls these by name.

import { Device, nn, optim, relu } from '../../src/index.ts';
import * as pictures from './pictures.ts';
import * as scenario from './scenario.ts';
import type { PageBytes } from './pictures.ts';
import type { Numbers } from './scenario.ts';

type Scenario = keyof typeof scenario;

interface Run {
  readonly adapter: string;
  readonly numbers: Numbers;
}

/** Runs a scenario on a device of our own, on the software adapter. */
async function onDevice(name: Scenario): Promise<Run> {
  const device = await Device.create({ adapter: 'software' });
  try {
    return { adapter: device.description.name, numbers: await scenario[name](device) };
  } finally {
    await device.destroy();
  }
}

/** The same on the page's own GPUDevice, which the page must be able to use after `destroy`. */
async function onPagesDevice(name: Scenario): Promise<Run & { readonly after: number[] }> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('the browser has no adapter');
  const gpuDevice = await adapter.requestDevice();
  const device = await Device.create({ gpuDevice });
  const numbers = await scenario[name](device);
  await device.destroy();
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = gpuDevice.createBuffer({ size: 16, usage });
  gpuDevice.queue.writeBuffer(buffer, 0, Float32Array.of(1, 2, 3, 4));
  await buffer.mapAsync(GPUMapMode.READ);
  const after = [...new Float32Array(buffer.getMappedRange())];
  gpuDevice.destroy();
  return { adapter: device.description.name, numbers, after };
}

/** Calls a function of pictures.ts on a device of our own, or on the page's. */
async function withPictures(
  name: keyof typeof pictures,
  whose: 'own' | "page's",
  picture: PageBytes,
  ...rest: [number]
): Promise<unknown> {
  const adapter = await navigator.gpu.requestAdapter();
  const gpuDevice = whose === 'own' ? undefined : await adapter?.requestDevice();
  const device = await Device.create(gpuDevice === undefined ? { adapter: 'software' } : { gpuDevice });
  try {
    const result = await pictures[name](device, picture, ...rest);
    // What failed on the device is told here.
    await device.sync();
    return result;
  } finally {
    await device.destroy();
    gpuDevice?.destroy();
  }
}

/** MiB on the device during eager steps of training that dispose nothing: at every twentieth of them. */
async function eagerSteps(steps: number): Promise<number[]> {
  const device = await Device.create({ adapter: 'software' });
  const layer = new nn.Linear(64, 64).to(device);
  const sgd = new optim.SGD(layer.parameters(), { lr: 0.01 });
  const data = new Float32Array(512 * 64).fill(0.5);
  const held: number[] = [];
  for (let i = 1; i <= steps; i++) {
    sgd.zeroGrad();
    const loss = relu(layer.forward(device.tensor(data, [512, 64])))
      .sub(1)
      .square()
      .mean();
    loss.backward();
    sgd.step();
    if (i % 50 === 0) await loss.item();
    else await device.flush();
    if (i % (steps / 20) === 0) held.push(device.counters.bytesHeld / 2 ** 20);
  }
  held.push(device.counters.bytesPeak / 2 ** 20);
  await device.destroy();
  return held;
}

Object.assign(globalThis, { eagerSteps, onDevice, onPagesDevice, withPictures });
