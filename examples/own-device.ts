// Shares a GPUDevice of your own with the engine, which leaves it alive: node examples/own-device.ts

import { Device, matmul, openNodeGpu } from 'wavelight';

// In a page: (await navigator.gpu.requestAdapter()).requestDevice()
const { adapter } = await openNodeGpu({ adapter: 'auto', profile: 'checked' });
const gpuDevice = await adapter.requestDevice();

// Any pipeline of yours.
const code = `
  @group(0) @binding(0) var<storage, read_write> values: array<f32>;
  @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
    values[id.x] = f32(id.x) * 10;
  }`;
const pipeline = gpuDevice.createComputePipeline({
  layout: 'auto',
  compute: { module: gpuDevice.createShaderModule({ code }) },
});

/** Runs it and reads its four numbers. */
async function runMine(): Promise<Float32Array<ArrayBuffer>> {
  const [STORAGE, COPY_SRC, COPY_DST, MAP_READ] = [0x80, 4, 8, 1];
  const values = gpuDevice.createBuffer({ size: 16, usage: STORAGE | COPY_SRC });
  const staging = gpuDevice.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  const layout = pipeline.getBindGroupLayout(0);
  const entries = [{ binding: 0, resource: { buffer: values } }];
  const encoder = gpuDevice.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpuDevice.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(values, 0, staging, 0, 16);
  gpuDevice.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return new Float32Array(staging.getMappedRange().slice(0));
}

const device = await Device.create({ gpuDevice });
const mine = await runMine();
const product = matmul(device.tensor(mine, [2, 2]), device.tensor([1, 2, 3, 4], [2, 2]));
console.log(`engine: ${(await product.data()).join(' ')}`);
await device.destroy();
console.log(`still mine: ${(await runMine()).join(' ')}`);
gpuDevice.destroy();
