import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BufferUsage } from '../../src/gpu/flags.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import {
  crossEntropy,
  dropout,
  manualSeed,
  matmul,
  mul,
  nn,
  optim,
  relu,
  type Tensor,
} from '../../src/index.ts';
import { Device } from '../../src/tensor/device.ts';
import { testAdapter, testProfile } from '../support/device.ts';
import { normal } from '../support/hash.ts';

/* Buffers and encoders shared with the app that owns the GPUDevice. */

let adapter: GPUAdapter;
let gpuDevice: GPUDevice;
let device: Device;
const errors: string[] = [];

beforeEach(async () => {
  ({ adapter } = await openNodeGpu({ adapter: testAdapter, profile: testProfile }));
  gpuDevice = await adapter.requestDevice(Device.descriptor(adapter));
  errors.length = 0;
  gpuDevice.addEventListener('uncapturederror', (event) => errors.push(event.error.message));
  device = await Device.create({ gpuDevice, poison: true });
});
afterEach(async () => {
  await device.destroy();
  await gpuDevice.queue.onSubmittedWorkDone();
  gpuDevice.destroy();
  expect(errors).toEqual([]);
});

const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
const USAGE = STORAGE | COPY_SRC | COPY_DST;

/** A buffer of the app's with `values` at byte `offset`, as large as it must be and no larger. */
function buffer(values: Float32Array | Uint32Array, offset = 0, usage: number = USAGE): GPUBuffer {
  const made = gpuDevice.createBuffer({ size: offset + values.byteLength, usage: usage | COPY_DST });
  gpuDevice.queue.writeBuffer(made, offset, values.buffer, values.byteOffset, values.byteLength);
  return made;
}

/** What the app reads from a buffer by its own copy. */
async function readBytes(from: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
  const staging = gpuDevice.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const encoder = gpuDevice.createCommandEncoder();
  encoder.copyBufferToBuffer(from, offset, staging, 0, size);
  gpuDevice.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return bytes;
}

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
const floats = async ({
  buffer: from,
  offset,
  size,
}: Awaited<ReturnType<Tensor['buffer']>>): Promise<number[]> => [
  ...new Float32Array(await readBytes(from, offset, size)),
];

/** A kernel of the app's: values[i] = 2 values[i] + 1. */
function appKernel(values: GPUBuffer, count: number): (encoder: GPUCommandEncoder) => void {
  const code = `
    @group(0) @binding(0) var<storage, read_write> values: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < ${count}u) { values[id.x] = 2 * values[id.x] + 1; }
    }`;
  const pipeline = gpuDevice.createComputePipeline({
    layout: 'auto',
    compute: { module: gpuDevice.createShaderModule({ code }) },
  });
  const group = gpuDevice.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: values } }],
  });
  return (encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(count / 64));
    pass.end();
  };
}

describe('a tensor in a buffer of the caller', () => {
  it.each([1, 2, 3, 5, 63, 64, 65, 100, 257])(
    'of %i elements is computed with, eagerly and in a step',
    async (count) => {
      const values = normal(`x ${count}`, count);
      const x = device.fromBuffer(buffer(values, 256), { shape: [count], offset: 256 });
      const want = [...values].map((value) => Math.fround(Math.max(0, value) * 2));
      const step = device.compile((input: Tensor) => mul(relu(input), 2));
      const before = device.counters;
      expect(await list(await step(x))).toEqual(want);
      expect(device.counters.bytesCopied - before.bytesCopied).toBe(0);
      expect(await list(mul(relu(x), 2))).toEqual(want);
      expect(await list(x)).toEqual([...values]);
    },
  );

  it('is the input of a training step with no copy of it, nor of the result, and nothing is made in later calls', async () => {
    const values = normal('x', 4 * 7);
    const labels = Uint32Array.of(0, 2, 1, 2);
    const training = () => {
      manualSeed(3);
      const net = new nn.Sequential([new nn.Linear(7, 5), new nn.ReLU(), new nn.Linear(5, 3)]).to(device);
      const adam = new optim.Adam(net.parameters(), { lr: 0.1 });
      return device.compile((x: Tensor, y: Tensor) => {
        adam.zeroGrad();
        const logits = net.forward(x);
        const loss = crossEntropy(logits, y);
        loss.backward();
        adam.step();
        return { loss, logits };
      });
    };
    const fromHost = training();
    const wanted: number[] = [];
    for (let i = 0; i < 22; i++)
      wanted.push(
        await (await fromHost({ data: values, shape: [4, 7] }, { data: labels, shape: [4] })).loss.item(),
      );

    const step = training();
    const x = device.fromBuffer(buffer(values), { shape: [4, 7] });
    const y = device.fromBuffer(buffer(labels), { shape: [4], dtype: 'u32' });
    const losses: number[] = [];
    for (let i = 0; i < 2; i++) losses.push(await (await step(x, y)).loss.item());
    const before = device.counters;
    for (let i = 0; i < 20; i++) losses.push(await (await step(x, y)).loss.item());
    const counts = device.gpu.counters.since(before);
    console.log(
      `20 steps: ${counts.copies} copies, ${counts.bindGroupsCreated} bind groups, ${counts.buffersCreated} buffers`,
    );
    expect(counts).toMatchObject({ copies: 0, bytesCopied: 0, bindGroupsCreated: 0, buffersCreated: 0 });
    expect(losses).toEqual(wanted);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
  });

  it('gives what the app has written into it since, in a step as eagerly', async () => {
    const own = buffer(Float32Array.of(1, 2, 3, 4, 5));
    const x = device.fromBuffer(own, { shape: [5] });
    const step = device.compile((input: Tensor) => mul(input, 10));
    expect(await list(await step(x))).toEqual([10, 20, 30, 40, 50]);
    gpuDevice.queue.writeBuffer(own, 0, Float32Array.of(6, 7, 8, 9, 0));
    expect(await list(await step(x))).toEqual([60, 70, 80, 90, 0]);
    expect(await list(mul(x, 10))).toEqual([60, 70, 80, 90, 0]);
  });

  it('may stand beside others in one buffer, and differ from call to call', async () => {
    const own = gpuDevice.createBuffer({ size: 4096, usage: USAGE });
    gpuDevice.queue.writeBuffer(
      own,
      0,
      Float32Array.from({ length: 1024 }, (_, i) => i),
    );
    const at = (offset: number): Tensor => device.fromBuffer(own, { shape: [3], offset });
    const step = device.compile((a: Tensor, b: Tensor) => a.add(b));
    for (let i = 0; i < 15; i++) {
      const [a, b] = [256 * i, 256 * (15 - i)];
      expect(await list(await step(at(a), at(b)))).toEqual([0, 1, 2].map((k) => (a + b) / 4 + 2 * k));
    }
    expect(await list(matmul(at(0).reshape([1, 3]), at(256).reshape([3, 1])))).toEqual([65 + 2 * 66]);
  });

  it('collects a gradient', async () => {
    const x = device.fromBuffer(buffer(Float32Array.of(1, -2, 3)), { shape: [3], requiresGrad: true });
    relu(x).sum().backward();
    expect(await list(x.grad as Tensor)).toEqual([1, 0, 1]);
  });

  it('is refused in a sentence where it cannot be', async () => {
    const small = buffer(new Float32Array(10));
    const make = (given: GPUBuffer, options: object) => () =>
      device.fromBuffer(given, options as { shape: number[] });
    expect(make(small, { shape: [11] })).toThrow('f32 [11] at offset 0 ends at byte 44 of a buffer of 40');
    expect(make(small, { shape: [2], offset: 4 })).toThrow(/offset 4 is no multiple of \d+/);
    expect(make(small, { shape: [2], ofset: 0 })).toThrow('did you mean');
    expect(make(small, {})).toThrow('shape');
    expect(make(small, { shape: [2], dtype: 'float' })).toThrow("did you mean 'f32'?");
    expect(make(buffer(new Float32Array(4), 0, COPY_SRC), { shape: [2] })).toThrow(
      'without GPUBufferUsage.STORAGE',
    );
    expect(make({} as GPUBuffer, { shape: [2] })).toThrow('needs a GPUBuffer');
    const { buffer: ours } = await device.tensor([1, 2]).buffer();
    expect(make(ours, { shape: [2] })).toThrow('one of the engine itself');
    const unread = device.fromBuffer(buffer(Float32Array.of(1, 2), 0, STORAGE), { shape: [2] });
    await expect(unread.data()).rejects.toThrow('read tensor.clone() instead');
    expect(await list(unread.clone())).toEqual([1, 2]);
  });
});

describe("a tensor's buffer", () => {
  it('holds the elements of whatever was recorded, without a copy', async () => {
    const x = device.tensor([1, 2, 3]);
    const y = mul(x, 3);
    const before = device.counters.bytesCopied;
    expect(await floats(await y.buffer())).toEqual([3, 6, 9]);
    const step = device.compile((input: Tensor) => ({ twice: mul(input, 2), same: input }));
    const { twice, same } = await step([1, 2, 3]);
    expect(await floats(await twice.buffer())).toEqual([2, 4, 6]);
    // `same` is the input itself, which a later call overwrites.
    expect(device.counters.copies).toBe(1);
    expect(device.counters.bytesCopied - before).toBe(256);
    expect(await floats(await same.buffer())).toEqual([1, 2, 3]);
  });

  it('refuses what is gone', async () => {
    const x = device.tensor([1]);
    x.dispose();
    await expect(x.buffer()).rejects.toThrow('was disposed');
  });

  it('has the usages that the device was created with', async () => {
    await device.destroy();
    device = await Device.create({ gpuDevice, usage: 0x20 });
    const { buffer: made } = await relu(device.tensor([1, -1])).buffer();
    expect(made.usage & 0x20).toBe(0x20);
  });

  it('is drawn from by a render pass', async () => {
    await device.destroy();
    device = await Device.create({ gpuDevice, usage: 0x20 });
    // Two triangles that cover the left half of the picture, made by the engine as vertices.
    const corners = device.tensor([0, 0, 0.5, 0, 0, 1, 0, 1, 0.5, 0, 0.5, 1], [6, 2]);
    const { buffer: vertices, offset, size } = await corners.mul(2).sub(1).buffer();
    const module = gpuDevice.createShaderModule({
      code: `@vertex fn v(@location(0) at: vec2f) -> @builtin(position) vec4f { return vec4f(at, 0, 1); }
             @fragment fn f() -> @location(0) vec4f { return vec4f(1, 0.5, 0, 1); }`,
    });
    const pipeline = gpuDevice.createRenderPipeline({
      layout: 'auto',
      vertex: {
        module,
        buffers: [{ arrayStride: 8, attributes: [{ shaderLocation: 0, offset: 0, format: 'float32x2' }] }],
      },
      fragment: { module, targets: [{ format: 'rgba8unorm' }] },
    });
    const texture = gpuDevice.createTexture({ size: [64, 4], format: 'rgba8unorm', usage: 0x10 | 0x01 });
    const read = gpuDevice.createBuffer({ size: 1024, usage: MAP_READ | COPY_DST });
    const encoder = gpuDevice.createCommandEncoder();
    const pass = encoder.beginRenderPass({
      colorAttachments: [
        { view: texture.createView(), loadOp: 'clear', storeOp: 'store', clearValue: [0, 0, 0, 1] },
      ],
    });
    pass.setPipeline(pipeline);
    pass.setVertexBuffer(0, vertices, offset, size);
    pass.draw(6);
    pass.end();
    encoder.copyTextureToBuffer({ texture }, { buffer: read, bytesPerRow: 256 }, [64, 4]);
    gpuDevice.queue.submit([encoder.finish()]);
    await read.mapAsync(1);
    const pixels = new Uint8Array(read.getMappedRange());
    const reds = Array.from({ length: 64 }, (_, x) => pixels[256 + 4 * x]);
    expect(reds).toEqual(Array.from({ length: 64 }, (_, x) => (x < 32 ? 255 : 0)));
  });
});

describe("a step in the app's own encoder", () => {
  it('takes its turn among passes of the app', async () => {
    const own = buffer(Float32Array.of(1, 2, 3, 4, 5, 6, 7));
    const x = device.fromBuffer(own, { shape: [7] });
    const step = device.compile((input: Tensor) => mul(input, 10));
    await step.prepare(x);
    const twiceAndOne = appKernel(own, 7);
    const encoder = gpuDevice.createCommandEncoder();
    const first = step.encode(encoder, x);
    twiceAndOne(encoder);
    const second = step.encode(encoder, x);
    gpuDevice.queue.submit([encoder.finish()]);
    expect(await list(first)).toEqual([10, 20, 30, 40, 50, 60, 70]);
    expect(await list(second)).toEqual([30, 50, 70, 90, 110, 130, 150]);
    expect(device.counters.copies).toBe(0);
  });

  it('brings its own numbers: arrays, learning rates, random steps', async () => {
    const make = () => {
      manualSeed(7);
      const net = new nn.Linear(6, 4).to(device);
      const adam = new optim.Adam(net.parameters(), { lr: 0.5 });
      const step = device.compile((x: Tensor) => {
        adam.zeroGrad();
        const loss = dropout(net.forward(x.reshape([1, 6])), 0.5)
          .square()
          .sum();
        loss.backward();
        adam.step();
        return loss;
      });
      return { net, adam, step };
    };
    const inputs = [1, 2, 3, 4].map((factor) => normal(`x ${factor}`, 6));
    const called = make();
    const losses: number[] = [];
    for (const [i, x] of inputs.entries()) {
      called.adam.lr = 0.5 / (i + 1);
      losses.push(await (await called.step(x)).item());
    }
    const encoded = make();
    await encoded.step.prepare(inputs[0] ?? []);
    const encoder = gpuDevice.createCommandEncoder();
    const results = inputs.map((x, i) => {
      encoded.adam.lr = 0.5 / (i + 1);
      return encoded.step.encode(encoder, x);
    });
    gpuDevice.queue.submit([encoder.finish()]);
    expect(await Promise.all(results.map((loss) => loss.item()))).toEqual(losses);
    expect(await encoded.net.stateDict()).toEqual(await called.net.stateDict());
  });

  it('keeps its input until the task ends, though the caller gives it back before the submit', async () => {
    const step = device.compile((input: Tensor) => mul(input, 2));
    await step.prepare(new Float32Array(1000));
    const x = device.tensor(new Float32Array(1000).fill(1));
    await device.sync();
    const encoder = gpuDevice.createCommandEncoder();
    const y = step.encode(encoder, x);
    x.dispose();
    const other = device.tensor(new Float32Array(1000).fill(9));
    gpuDevice.queue.submit([encoder.finish()]);
    expect(new Set(await list(y))).toEqual(new Set([2]));
    expect(new Set(await list(other))).toEqual(new Set([9]));
  });

  it('is refused where it is not ready', async () => {
    const step = device.compile((input: Tensor) => mul(input, 2));
    const encoder = gpuDevice.createCommandEncoder();
    expect(() => step.encode(encoder, [1])).toThrow('await step.prepare(...inputs) before');
    await step.prepare([1]);
    mul(device.tensor([1]), 2);
    expect(() => step.encode(encoder, [1])).toThrow('await device.sync() before');
    await device.sync();
    expect(() => step.encode(encoder, [1, 2])).toThrow('await step.prepare(...inputs) before');
    const y = step.encode(encoder, [4]);
    gpuDevice.queue.submit([encoder.finish()]);
    expect(await list(y)).toEqual([8]);
  });

  it('and calls of the engine interleave with submits of the app, 1000 times', async () => {
    const own = buffer(new Float32Array(37));
    const x = device.fromBuffer(own, { shape: [37] });
    const half = device.compile((input: Tensor) => mul(input, 0.5));
    await half.prepare(x);
    const twiceAndOne = appKernel(own, 37);
    let value = 0;
    let right = 0;
    const waiting: (() => Promise<void>)[] = [];
    for (let i = 0; i < 1000; i++) {
      // The app changes its buffer, the engine reads it: by its own submit, in the app's encoder, or eagerly.
      const encoder = gpuDevice.createCommandEncoder();
      twiceAndOne(encoder);
      value = Math.fround(2 * value + 1);
      const encoded = i % 3 === 0 ? half.encode(encoder, x) : null;
      gpuDevice.queue.submit([encoder.finish()]);
      const result = encoded ?? (i % 3 === 1 ? await half(x) : mul(x, 0.5));
      const want = Math.fround(value / 2);
      if (i % 3 === 2) await device.flush();
      waiting.push(async () => {
        const got = await result.data();
        if (got.length === 37 && got.every((element) => element === want)) right++;
      });
      if (value > 1e6) {
        gpuDevice.queue.writeBuffer(own, 0, new Float32Array(37));
        value = 0;
      }
      if (waiting.length === 3) await Promise.all(waiting.splice(0).map((check) => check()));
    }
    await Promise.all(waiting.map((check) => check()));
    console.log(`${right} of 1000 results right`);
    expect(right).toBe(1000);
  });

  it('tells errors of its own, and leaves those of the app to the app', async () => {
    const own = buffer(Float32Array.of(1, 2));
    const x = device.fromBuffer(own, { shape: [2] });
    gpuDevice.createBuffer({ label: 'of the app', size: 2 ** 50, usage: STORAGE });
    expect(await list(mul(x, 2))).toEqual([2, 4]);
    await gpuDevice.queue.onSubmittedWorkDone();
    expect(errors.join()).toContain('of the app');
    errors.length = 0;
    own.destroy();
    if (testProfile !== 'fast') await expect(mul(x, 2).data()).rejects.toThrow(/destroyed/i);
  });
});

describe('a device requested by the caller', () => {
  it('has its limits named where they are too small', async () => {
    const { adapter: fresh } = await openNodeGpu({ adapter: testAdapter, profile: testProfile });
    const plain = await fresh.requestDevice();
    const small = await Device.create({ gpuDevice: plain });
    expect(plain.limits.maxStorageBufferBindingSize).toBe(128 * 2 ** 20);
    expect(() => small.tensor(new Float32Array(33 * 2 ** 20))).toThrow(
      /needs 132\.0 MiB in one buffer; this device binds at most 128\.0 MiB .*: use a smaller batch, or ask for a larger maxStorageBufferBindingSize in requestDevice, as Device\.descriptor\(adapter\) does$/,
    );
    await small.destroy();
    plain.destroy();
  });
});
