import '../../src/pixels.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TextureUsage } from '../../src/gpu/flags.ts';
import { mul, type PixelOptions, type Tensor } from '../../src/index.ts';
import type { Device } from '../../src/tensor/device.ts';
import { testProfile } from '../support/device.ts';
import { testDevice } from '../support/engine.ts';
import { fnv1a, hashWord } from '../support/hash.ts';
import { cut, hostBytes, hostValues, MEAN, pairOf, pictureOf, STD, type Picture } from '../support/pixels.ts';

const { COPY_DST, TEXTURE_BINDING, RENDER_ATTACHMENT } = TextureUsage;

const list = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

function textureOf(
  { data, width, height }: Picture,
  format: GPUTextureFormat = 'rgba8unorm',
  usage = TEXTURE_BINDING | COPY_DST,
): GPUTexture {
  const texture = device.gpu.device.createTexture({ size: [width, height], format, usage });
  const bytesPerRow = data.length / height;
  device.gpu.device.queue.writeTexture({ texture }, data, { bytesPerRow }, [width, height]);
  return texture;
}

describe('fromPixels', () => {
  type Sides = number | readonly [height: number, width: number];
  const SIZES: readonly (readonly [width: number, height: number, resize: Sides, size?: Sides])[] = [
    [61, 47, 32],
    [61, 47, 32, 25],
    [33, 65, [50, 120]],
    [33, 65, [50, 120], [17, 99]],
    [640, 3, 7],
    [1, 1, 5],
    [5, 9, 1],
    [13, 13, [13, 40]],
    [13, 13, [40, 13]],
    [31, 17, [17, 31]],
    [31, 17, [17, 31], [4, 8]],
    [300, 200, 256, 224],
  ];

  it.each(SIZES.map(([width, height, resize, size = resize]) => ({ width, height, resize, size })))(
    'of $width x $height to $resize, of which $size, is what the host makes, bit for bit',
    async ({ width, height, resize, size }) => {
      const picture = pictureOf(width, height);
      const bytes = hostBytes(picture, pairOf(resize), pairOf(size));
      const x = device.fromPixels(picture, { resize, size, mean: MEAN, std: STD });
      expect(x.shape).toEqual([1, 3, ...pairOf(size)]);
      expect(await list(x)).toEqual(hostValues(bytes, MEAN, STD));
      const texture = textureOf(picture);
      expect(await list(device.fromPixels(texture, { resize, size }))).toEqual(
        hostValues(bytes, [0, 0, 0], [1, 1, 1]),
      );
      texture.destroy();
    },
  );

  it('of 40 pictures of random sizes is what the host makes, bit for bit', async () => {
    const random = (i: number, end: number): number => 1 + (hashWord(fnv1a('sizes'), i) % end);
    for (let i = 0; i < 40; i++) {
      const picture = pictureOf(random(5 * i, 150), random(5 * i + 1, 150), i);
      const resize = [random(5 * i + 2, 150), random(5 * i + 3, 150)] as const;
      const size = [random(5 * i + 4, resize[0]), random(5 * i + 4, resize[1])] as const;
      const x = device.fromPixels(picture, { resize, size });
      const want = hostValues(hostBytes(picture, resize, size), [0, 0, 0], [1, 1, 1]);
      expect(await list(x), JSON.stringify([picture.width, picture.height, resize, size])).toEqual(want);
      x.dispose();
    }
  });

  it('takes a batch of several sizes and kinds', async () => {
    const pictures = [pictureOf(20, 30, 1), pictureOf(64, 5, 2), pictureOf(20, 30, 3), pictureOf(8, 8, 4)];
    const [first, second, third, fourth] = pictures as [Picture, Picture, Picture, Picture];
    const texture = textureOf(third);
    const clamped = { ...fourth, data: new Uint8ClampedArray(fourth.data.buffer) };
    const x = device.fromPixels([first, second, texture, clamped], { size: [9, 11], mean: 0.5, std: 0.25 });
    expect(x.shape).toEqual([4, 3, 9, 11]);
    const want = pictures.flatMap((picture) =>
      hostValues(hostBytes(picture, [9, 11]), [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]),
    );
    expect(await list(x)).toEqual(want);
    texture.destroy();
  });

  it('without a size keeps the pixels', async () => {
    const picture = pictureOf(7, 5);
    const x = device.fromPixels([picture, picture]);
    const own = hostValues(hostBytes(picture, [5, 7]), [0, 0, 0], [1, 1, 1]);
    expect(x.shape).toEqual([2, 3, 5, 7]);
    expect(await list(x)).toEqual([...own, ...own]);
  });

  it('crops before it resizes', async () => {
    const picture = pictureOf(50, 30);
    const plain = (part: Picture, size: readonly [number, number]) =>
      hostValues(hostBytes(part, size), [0, 0, 0], [1, 1, 1]);
    const crop = { x: 11, y: 3, width: 21, height: 26 };
    const part = cut(picture, 11, 3, 21, 26);
    expect(await list(device.fromPixels(picture, { crop, size: [12, 40] }))).toEqual(plain(part, [12, 40]));
    expect(await list(device.fromPixels(picture, { crop }))).toEqual(plain(part, [26, 21]));
    const square = device.fromPixels(picture, { crop: 'center', size: 16 });
    expect(await list(square)).toEqual(plain(cut(picture, 10, 0, 30, 30), [16, 16]));
    const tall = device.fromPixels(picture, { crop: 'center', size: [20, 10] });
    // 15 of 50 columns: (50 - 15) / 2 rounds up.
    expect(await list(tall)).toEqual(plain(cut(picture, 18, 0, 15, 30), [20, 10]));
    const wide = device.fromPixels(picture, { crop: 'center', size: [5, 50] });
    expect(await list(wide)).toEqual(plain(cut(picture, 0, 13, 50, 5), [5, 50]));
  });

  it('reads textures of 8 bits by their bytes, whatever the order and the encoding', async () => {
    // Every byte in every channel.
    const data = Uint8Array.from(
      { length: 4 * 256 },
      (_, i) => (Math.floor(i / 4) * (1 + 2 * (i % 4))) & 255,
    );
    const picture = { data, width: 16, height: 16 };
    const swapped = data.map((_, i) => data[i % 4 === 3 ? i : i - (i % 4) + (2 - (i % 4))] ?? 0);
    for (const size of [16, 9]) {
      const want = hostValues(hostBytes(picture, [size, size]), [0, 0, 0], [1, 1, 1]);
      for (const [format, bytes] of [
        ['rgba8unorm', data],
        ['rgba8unorm-srgb', data],
        ['bgra8unorm', swapped],
        ['bgra8unorm-srgb', swapped],
      ] as const) {
        const texture = textureOf({ ...picture, data: bytes }, format);
        expect(await list(device.fromPixels(texture, { size })), `${format} ${size}`).toEqual(want);
        texture.destroy();
      }
    }
  });

  it('keeps the values of float textures, and resizes them in f32', async () => {
    const [width, height] = [19, 14];
    const values = Float32Array.from({ length: 4 * width * height }, (_, i) => Math.sin(i * i) * 3);
    const texture = textureOf({ data: new Uint8Array(values.buffer), width, height }, 'rgba32float');
    const plane = (c: number): number[] =>
      Array.from({ length: width * height }, (_, i) => values[4 * i + c] ?? 0);
    const planes = [plane(0), plane(1), plane(2)];
    expect(await list(device.fromPixels(texture))).toEqual(planes.flat());
    const want = planes.flatMap((line) => triangle(line, width, height, 8, 33));
    const got = await list(device.fromPixels(texture, { size: [33, 8], mean: MEAN, std: STD }));
    const error = Math.max(
      ...got.map((value, i) => {
        const c = Math.floor(i / (33 * 8));
        return Math.abs(value - ((want[i] ?? NaN) - (MEAN[c] ?? 0)) / (STD[c] ?? 1));
      }),
    );
    console.log(`rgba32float resized: at most ${error.toExponential(1)} off f64`);
    expect(error).toBeLessThan(1e-5);
    texture.destroy();
  });

  it('reads half floats and 10 bits', async () => {
    // 0.5, 2, -1, 1 and 0.25, 0.125, 65504, 0.
    const halves = Uint16Array.of(0x3800, 0x4000, 0xbc00, 0x3c00, 0x3400, 0x3000, 0x7bff, 0);
    const half = textureOf({ data: new Uint8Array(halves.buffer), width: 2, height: 1 }, 'rgba16float');
    expect(await list(device.fromPixels(half))).toEqual([0.5, 0.25, 2, 0.125, -1, 65504]);
    const packed = Uint32Array.of(1023 | (512 << 10) | (1 << 20));
    const tens = textureOf({ data: new Uint8Array(packed.buffer), width: 1, height: 1 }, 'rgb10a2unorm');
    const got = await list(device.fromPixels(tens, { size: [2, 3] }));
    const off = got.map((value, i) =>
      Math.abs(value - ([1, 512 / 1023, 1 / 1023][Math.floor(i / 6)] ?? NaN)),
    );
    expect(Math.max(...off)).toBeLessThan(1e-6);
    for (const texture of [half, tens]) texture.destroy();
  });

  it('goes into what is compiled, call after call', async () => {
    const step = device.compile((x: Tensor) => mul(x, 2).sum());
    for (const seed of [1, 2, 3]) {
      const picture = pictureOf(6, 4, seed);
      const x = device.fromPixels(picture);
      const sum = hostBytes(picture, [4, 6]).reduce((total, byte) => total + (2 * byte) / 255, 0);
      const got = await (await step(x)).item();
      console.log(
        `sum of a picture, seed ${seed}: ${Math.abs(got - sum).toExponential(1)} off ${sum.toFixed(1)}`,
      );
      expect(got).toBeCloseTo(sum, 3);
      x.dispose();
    }
    expect(step.traces).toBe(1);
    step.dispose();
  });

  it('makes nothing and holds nothing more in 1,000 calls', async () => {
    const pictures = [pictureOf(40, 30, 1), pictureOf(25, 60, 2)];
    const texture = textureOf(pictureOf(33, 22));
    const call = (): void => {
      const options = { size: 24, mean: MEAN, std: STD };
      for (const source of [pictures, texture]) device.fromPixels(source, options).dispose();
      const kept = [1, 2, 3].map(() => device.fromPixels(texture));
      for (const x of kept) x.dispose();
    };
    call();
    await device.sync();
    const before = device.gpu.counters.snapshot();
    for (let i = 0; i < 200; i++) call();
    await device.sync();
    const made = device.gpu.counters.since(before);
    expect(made).toMatchObject({
      buffersCreated: 0,
      texturesCreated: 0,
      bindGroupsCreated: 0,
      pipelinesCreated: 0,
      submits: 200 * 6,
      bytesHeld: 0,
    });
    texture.destroy();
  });

  it('tells the collector of tensors that nobody disposes', async () => {
    // Three planes of 296 x 296 are 1 MiB.
    const texture = textureOf(pictureOf(296, 296));
    await device.sync();
    const before = device.counters.bytesHeld;
    let most = 0;
    for (let i = 0; i < 600; i++) {
      device.fromPixels(texture);
      await device.sync();
      most = Math.max(most, device.counters.bytesHeld - before);
    }
    console.log(`600 pictures of 1 MiB: at most ${(most / 2 ** 20).toFixed(0)} MiB held`);
    expect(most).toBeLessThan(400 * 2 ** 20);
    texture.destroy();
  });

  it('keeps tables of few sizes', async () => {
    const before = device.counters.bytesHeld;
    for (let size = 1; size <= 100; size++) device.fromPixels(pictureOf(40, 30), { size }).dispose();
    await device.sync();
    // 16 sizes of at most 20 KB, and the tensors' own chunks.
    expect(device.counters.bytesHeld - before).toBeLessThan(2 ** 20);
  });
});

/** A plane resized by the triangle filter in f64, as wide as the larger pixel. */
function triangle(
  plane: readonly number[],
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): number[] {
  const weigh = (line: readonly number[], to: number): number[] => {
    const scale = line.length / to;
    const support = Math.max(scale, 1);
    return Array.from({ length: to }, (_, i) => {
      const centre = (i + 0.5) * scale;
      const weights = line.map((_, k) => Math.max(0, 1 - Math.abs((k + 0.5 - centre) / support)));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return line.reduce((sum, value, k) => sum + (value * (weights[k] ?? 0)) / total, 0);
    });
  };
  const rows = Array.from({ length: height }, (_, y) =>
    weigh(plane.slice(y * width, (y + 1) * width), toWidth),
  );
  const columns = Array.from({ length: toWidth }, (_, x) =>
    weigh(
      rows.map((row) => row[x] ?? 0),
      toHeight,
    ),
  );
  return Array.from(
    { length: toHeight * toWidth },
    (_, i) => columns[i % toWidth]?.[Math.floor(i / toWidth)] ?? NaN,
  );
}

describe('what is no picture is refused', () => {
  const picture = pictureOf(6, 4);
  const refused = (source: unknown, options: unknown = {}) =>
    expect(() => device.fromPixels(source as Picture, options as PixelOptions));

  it('by what it is', () => {
    refused('cat.png').toThrow(/takes pictures .* but the picture is 'cat.png'/);
    refused([picture, null]).toThrow('picture 1 is null');
    refused([]).toThrow('at least one picture');
    refused({ ...picture, data: [1, 2, 3] }).toThrow('the data of the picture must be bytes, got [1, 2, 3]');
    refused({ ...picture, data: new Float32Array(96) }).toThrow('must be bytes, got Float32Array(96)');
    refused({ ...picture, data: new Uint8Array(72) }).toThrow('which are 96 bytes of RGBA, not 72');
    refused({ ...picture, width: 0 }).toThrow('the picture has no pixels: 0 x 4');
    refused({ ...picture, width: 2.5 }).toThrow('the picture has no pixels: 2.5 x 4');
    refused({ data: picture.data }).toThrow('the picture has no pixels: undefined x undefined');
    refused({ ...picture, colorSpace: 'display-p3' }).toThrow("has the color space 'display-p3'");
    const side = device.gpu.limits.maxTextureDimension2D + 1;
    refused({ data: new Uint8Array(4 * side), width: side, height: 1 }).toThrow(
      `has ${side} x 1 pixels, the device at most ${side - 1} on a side`,
    );
  });

  it('by its options', () => {
    refused(picture, { sise: 3 }).toThrow("has no option 'sise': did you mean 'size'?");
    refused(picture, { size: 0 }).toThrow('size must be an integer of at least 1');
    refused(picture, { size: [3, 4, 5] }).toThrow(RangeError);
    refused(picture, { size: 8, resize: 7 }).toThrow('a size of [8, 8] cannot be cut from [7, 7]');
    refused(picture, { size: 1e6 }).toThrow(/1000000 pixels are more than the device's \d+ on a side/);
    refused(picture, { crop: 'middle', size: 2 }).toThrow("crop must be 'center' or a rectangle");
    refused(picture, { crop: 'center' }).toThrow("crop 'center' needs a size");
    refused(picture, { crop: { x: 1, y: 0, width: 6, height: 4 } }).toThrow(
      'a crop of 6 x 4 at (1, 0) is not inside the picture of 6 x 4',
    );
    refused(picture, { crop: { x: 1, y: 0, width: 3 } }).toThrow('needs height');
    refused(picture, { crop: { x: -1, y: 0, width: 3, height: 3 } }).toThrow(
      'x must be an integer of at least 0',
    );
    refused(picture, { std: 0 }).toThrow(
      'std must be a number above 0, or one for each of R, G and B, got 0',
    );
    refused(picture, { mean: [1, 2] }).toThrow(
      'mean must be a number, or one for each of R, G and B, got [1, 2]',
    );
    refused(picture, { mean: NaN }).toThrow('mean must be a number');
    refused([picture, pictureOf(4, 6)]).toThrow(
      'pictures of 6 x 4 and 4 x 6 (number 1) cannot share a tensor: give a size',
    );
  });

  it('by its texture', () => {
    const make = (over: Partial<GPUTextureDescriptor>): GPUTexture =>
      device.gpu.device.createTexture({
        size: [4, 4],
        format: 'rgba8unorm',
        usage: TEXTURE_BINDING,
        ...over,
      });
    refused(make({ usage: COPY_DST })).toThrow('without usage TEXTURE_BINDING');
    refused(make({ format: 'rgba8uint' })).toThrow('has format rgba8uint: one of rgba8unorm,');
    refused(make({ format: 'r8unorm' })).toThrow('has format r8unorm');
    refused(make({ size: [4, 4, 2] })).toThrow(
      'one layer and one sample, got 2d with 2 layers and 1 samples',
    );
    refused(make({ usage: TEXTURE_BINDING | RENDER_ATTACHMENT, sampleCount: 4 })).toThrow('4 samples');
  });

  it.skipIf(testProfile === 'fast')('when it is read, where its texture was destroyed', async () => {
    const texture = textureOf(picture);
    texture.destroy();
    await expect(device.fromPixels(texture).data()).rejects.toThrow(/[Dd]estroyed/);
    expect(await list(device.fromPixels(picture))).toHaveLength(72);
  });

  it('inside a compiled function', async () => {
    const step = device.compile(() => device.fromPixels(picture).sum());
    await expect(step()).rejects.toThrow('fromPixels cannot run inside a compiled function');
  });

  it('and leaves no memory behind', async () => {
    await device.sync();
    const before = device.counters.bytesHeld;
    for (let i = 0; i < 100; i++) refused(picture, { size: 4096, resize: 4095 }).toThrow();
    expect(device.counters.bytesHeld).toBe(before);
  });
});
