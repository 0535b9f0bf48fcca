import '../../src/pixels.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BufferUsage, TextureUsage } from '../../src/gpu/flags.ts';
import { mul, PlanningDevice, PROFILES, type Tensor } from '../../src/index.ts';
import type { Device } from '../../src/tensor/device.ts';
import { testDevice } from '../support/engine.ts';
import { hashWord } from '../support/hash.ts';
import { bytesIn, MEAN, pictureOf, STD } from '../support/pixels.ts';

const { COPY_SRC, COPY_DST, TEXTURE_BINDING, RENDER_ATTACHMENT } = TextureUsage;

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

/** Numbers between -0.2 and 1.2 in steps that stay away from a half of a byte. */
function numbersOf(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => ((hashWord(7, i) % 3570) / 10 + 0.03 - 51) / 255);
}

const byteOf = (value: number): number => Math.floor(Math.min(1, Math.max(0, value)) * 255 + 0.5);

describe('toTexture', () => {
  it.each([
    [3, 37, 21],
    [4, 5, 70],
    [1, 8, 8],
    [3, 1, 1],
  ])('of %i channels of %i x %i has the bytes of the numbers', async (channels, height, width) => {
    const numbers = numbersOf(channels * height * width);
    const at = (c: number, i: number): number => numbers[c * height * width + i] ?? NaN;
    const want = Array.from({ length: height * width }, (_, i) => {
      const color = channels === 1 ? [at(0, i), at(0, i), at(0, i)] : [at(0, i), at(1, i), at(2, i)];
      return [...color, channels === 4 ? at(3, i) : 1].map(byteOf);
    }).flat();
    const swapped = want.map((_, i) => want[i % 4 === 3 ? i : i - (i % 4) + 2 - (i % 4)] ?? 0);
    for (const shape of [
      [channels, height, width],
      [1, channels, height, width],
    ]) {
      const x = device.tensor(numbers, shape);
      const texture = await x.toTexture();
      expect([texture.width, texture.height, texture.format]).toEqual([width, height, 'rgba8unorm']);
      expect(texture.usage).toBe(TEXTURE_BINDING | COPY_SRC | RENDER_ATTACHMENT);
      expect([...(await bytesIn(device.gpu, texture))]).toEqual(want);
      const srgb = await x.toTexture({ format: 'rgba8unorm-srgb', usage: COPY_SRC });
      expect([...(await bytesIn(device.gpu, srgb))]).toEqual(want);
      const bgra = await x.toTexture({ format: 'bgra8unorm' });
      expect([...(await bytesIn(device.gpu, bgra))]).toEqual(swapped);
      for (const made of [texture, srgb, bgra]) made.destroy();
    }
  });

  it('takes back what fromPixels did, and waits for what is recorded', async () => {
    const picture = pictureOf(23, 31);
    const opaque = picture.data.map((byte, i) => (i % 4 === 3 ? 255 : byte));
    const normal = { mean: MEAN, std: STD };
    const x = device.fromPixels(picture, normal);
    const texture = await mul(mul(x, 4), 0.25).toTexture(normal);
    expect([...(await bytesIn(device.gpu, texture))]).toEqual([...opaque]);
    expect(await list(device.fromPixels(texture, normal))).toEqual(await list(x));
    texture.destroy();
  });

  it('draws a tensor that lies in a buffer of the caller', async () => {
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
    const buffer = device.gpu.device.createBuffer({ size: 1024, usage });
    device.gpu.device.queue.writeBuffer(buffer, 512, Float32Array.of(0, 1, 0.2, 0.4, 0.6, 0.8));
    const texture = await device.fromBuffer(buffer, { shape: [3, 1, 2], offset: 512 }).toTexture();
    expect([...(await bytesIn(device.gpu, texture))]).toEqual([0, 51, 153, 255, 255, 102, 204, 255]);
    for (const made of [buffer, texture]) made.destroy();
  });

  it('draws float formats without rounding, clamped, with NaN as 0', async () => {
    const numbers = [-1, NaN, 0.1, 1 / 3, Infinity, -Infinity];
    const texture = await device.tensor(numbers, [1, 2, 3]).toTexture({ format: 'rgba32float' });
    const got = new Float32Array((await bytesIn(device.gpu, texture, 16)).buffer);
    const want = [0, 0, 0.1, 1 / 3, 1, 0].map(Math.fround).flatMap((value) => [value, value, value, 1]);
    expect([...got]).toEqual(want);
    texture.destroy();
  });

  it('into a texture that is given makes nothing in 300 calls', async () => {
    const { device: gpuDevice } = device.gpu;
    const usage = RENDER_ATTACHMENT | COPY_SRC;
    const texture = gpuDevice.createTexture({ size: [9, 6], format: 'bgra8unorm', usage });
    const draw = async (byte: number): Promise<void> => {
      const x = device.tensor(new Float32Array(3 * 6 * 9).fill(byte / 255), [3, 6, 9]);
      expect(await x.toTexture({ texture })).toBe(texture);
      x.dispose();
    };
    await draw(1);
    await device.sync();
    const before = device.gpu.counters.snapshot();
    for (let i = 0; i < 300; i++) await draw(i % 256);
    await device.sync();
    expect(device.gpu.counters.since(before)).toMatchObject({
      buffersCreated: 0,
      texturesCreated: 0,
      bindGroupsCreated: 0,
      pipelinesCreated: 0,
      bytesHeld: 0,
    });
    expect([...(await bytesIn(device.gpu, texture)).subarray(0, 4)]).toEqual([43, 43, 43, 255]);
    texture.destroy();
  });

  it('refuses what is no picture or no place for it', async () => {
    const x = device.tensor(new Float32Array(48), [3, 4, 4]);
    const refused = (tensor: Tensor, options: unknown = {}) =>
      expect(tensor.toTexture(options as object)).rejects;
    await refused(device.tensor([1, 2])).toThrow('toTexture draws one picture [channels, height, width]');
    await refused(x.reshape([2, 6, 4])).toThrow('got [2, 6, 4]');
    await refused(device.tensor(new Float32Array(96), [2, 3, 4, 4])).toThrow('got [2, 3, 4, 4]');
    await refused(device.tensor(new Int32Array(48), [3, 4, 4])).toThrow('draws f32, got i32');
    await refused(x, { format: 'rgba8uint' }).toThrow("format must be 'rgba8unorm' or");
    await refused(x, { mean: 'a' }).toThrow('mean must be a number');
    await refused(x, { texture: {} }).toThrow('texture must be a GPUTexture');
    const make = (over: Partial<GPUTextureDescriptor>): GPUTexture =>
      device.gpu.device.createTexture({
        size: [4, 4],
        format: 'rgba8unorm',
        usage: RENDER_ATTACHMENT,
        ...over,
      });
    await refused(x, { texture: make({}), format: 'rgba8unorm' }).toThrow('not both');
    await refused(x, { texture: make({ usage: COPY_DST }) }).toThrow('usage RENDER_ATTACHMENT');
    await refused(x, { texture: make({ size: [4, 5] }) }).toThrow('4 x 4 does not fit a texture of 4 x 5');
    await refused(x, { texture: make({ format: 'rgba8uint' }) }).toThrow('cannot draw into rgba8uint');
    const long = device.gpu.limits.maxTextureDimension2D + 1;
    await refused(device.tensor(new Float32Array(long), [1, 1, long])).toThrow(`not ${long} x 1`);
    await refused(device.tensor(new Float32Array(long), [1, 1, long]), { format: 'r8unorm' }).toThrow(
      'at most',
    );
    const gone = device.tensor(new Float32Array(48), [3, 4, 4]);
    gone.dispose();
    await refused(gone).toThrow('was disposed');
    const planned = new PlanningDevice({ name: 'H100', geometry: PROFILES.h100 }).createTensor(
      [3, 4, 4],
      () => new Float32Array(48),
      { role: 'tensor' },
    );
    await refused(planned).toThrow('a device that only plans has no elements to draw');
    await expect(x.toCanvas({} as HTMLCanvasElement)).rejects.toThrow(
      'draws on a canvas, got an empty object',
    );
  });
});
