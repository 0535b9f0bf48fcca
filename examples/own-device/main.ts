// Shares a GPUDevice of your own with the engine, buffers and encoders included: node examples/own-device/main.ts

import { Device, matmul } from 'wavelight';
import { openNodeGpu } from 'wavelight/node';

// In a page: await navigator.gpu.requestAdapter()
const { adapter } = await openNodeGpu({ adapter: 'auto', profile: 'checked' });
const gpuDevice = await adapter.requestDevice(Device.descriptor(adapter));
const device = await Device.create({ gpuDevice });

// Any buffer and any pipeline of yours.
const [STORAGE, COPY_SRC, COPY_DST, MAP_READ] = [0x80, 4, 8, 1];
const values = gpuDevice.createBuffer({ size: 16, usage: STORAGE | COPY_SRC | COPY_DST });
const code = `
  @group(0) @binding(0) var<storage, read_write> values: array<f32>;
  @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) {
    values[id.x] += 10 * f32(id.x);
  }`;
const pipeline = gpuDevice.createComputePipeline({
  layout: 'auto',
  compute: { module: gpuDevice.createShaderModule({ code }) },
});
const group = gpuDevice.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: [{ binding: 0, resource: { buffer: values } }],
});

/** Adds 0, 10, 20, 30. */
function encodeMine(encoder: GPUCommandEncoder): void {
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(1);
  pass.end();
}

// The tensor is the buffer, not a copy of it.
const mine = device.fromBuffer(values, { shape: [2, 2] });
const weight = device.tensor([1, 2, 3, 4], [2, 2]);
const step = device.compile((x) => matmul(x, weight));
await step.prepare(mine);

// One submit: your pass, the engine's, your pass again.
const encoder = gpuDevice.createCommandEncoder();
encodeMine(encoder);
const product = step.encode(encoder, mine);
encodeMine(encoder);
gpuDevice.queue.submit([encoder.finish()]);
console.log(`engine: ${(await product.data()).join(' ')}`);

// And the other way: where the product lies, for a pass or a copy of yours.
const { buffer, offset, size } = await product.buffer();
const staging = gpuDevice.createBuffer({ size: 2 * size, usage: MAP_READ | COPY_DST });
const copies = gpuDevice.createCommandEncoder();
copies.copyBufferToBuffer(buffer, offset, staging, 0, size);
copies.copyBufferToBuffer(values, 0, staging, size, size);
gpuDevice.queue.submit([copies.finish()]);

// The engine goes, the device stays.
await device.destroy();
await staging.mapAsync(1);
console.log(`copied: ${new Float32Array(staging.getMappedRange()).join(' ')}`);
gpuDevice.destroy();
