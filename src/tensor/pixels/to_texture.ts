import { TextureUsage } from '../../gpu/flags.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import type { DrawParams } from '../../kernels/pixels.ts';
import { checkOptions, oneOf, whole, type OptionKinds } from '../graph/options.ts';
import { formatShape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';
import { channelsOf, MEAN, STD } from './options.ts';
import { runningDevice, type RunningDevice } from './running.ts';
import { classOf } from './sources.ts';
import { PixelWriter, TARGET_FORMATS, type TargetFormat } from './writer.ts';

/** How numbers become colors: number * std + mean, between 0 and 1, which takes back `fromPixels` with the same options. */
export interface DrawOptions {
  /** For all channels but alpha, or for R, G and B. Default 0. */
  readonly mean?: number | readonly [number, number, number];
  /** Default 1. */
  readonly std?: number | readonly [number, number, number];
}

export interface TextureOptions extends DrawOptions {
  /** To draw into, of the tensor's size and with usage RENDER_ATTACHMENT; otherwise one is made, which is the caller's to destroy. */
  readonly texture?: GPUTexture;
  /** Of the texture that is made. Default rgba8unorm. */
  readonly format?: TargetFormat;
  /** Of the texture that is made; RENDER_ATTACHMENT is added. Default TEXTURE_BINDING | COPY_SRC. */
  readonly usage?: GPUTextureUsageFlags;
}

const DRAW_OPTIONS: OptionKinds<DrawOptions> = { mean: MEAN, std: STD };

const TEXTURE_OPTIONS: OptionKinds<TextureOptions> = {
  ...DRAW_OPTIONS,
  texture: { what: 'a GPUTexture', accepts: (value) => classOf(value) === 'GPUTexture' },
  format: oneOf(...TARGET_FORMATS),
  usage: whole(0),
};

const writers = new WeakMap<Gpu, PixelWriter>();

function writerOf(gpu: Gpu): PixelWriter {
  const writer = writers.get(gpu) ?? new PixelWriter(gpu);
  writers.set(gpu, writer);
  return writer;
}

/** See `Tensor.toTexture`. */
export async function toTexture(tensor: Tensor, options: TextureOptions = {}): Promise<GPUTexture> {
  const device = runningDevice(tensor, 'toTexture');
  const { texture, format = 'rgba8unorm', usage } = checkOptions('toTexture', options, TEXTURE_OPTIONS);
  if (texture !== undefined && (options.format !== undefined || usage !== undefined))
    throw new TypeError('toTexture takes a texture, or the format and usage of one to make, not both');
  const params = drawParams('toTexture', tensor, options);
  if (texture !== undefined) checkTarget('toTexture', texture, params);
  const { gpu } = device.runtime;
  checkSides('toTexture', gpu, params);
  const { width, height } = params;
  const { label } = tensor.value;
  const { TEXTURE_BINDING, COPY_SRC, RENDER_ATTACHMENT } = TextureUsage;
  return drawn(device, tensor, () => {
    const target =
      texture ??
      gpu.device.createTexture({
        label,
        size: [width, height],
        format,
        usage: (usage ?? TEXTURE_BINDING | COPY_SRC) | RENDER_ATTACHMENT,
      });
    if (texture === undefined) gpu.counters.texturesCreated++;
    return { target, params };
  });
}

/** See `Tensor.toCanvas`. */
export async function toCanvas(
  tensor: Tensor,
  canvas: HTMLCanvasElement | OffscreenCanvas,
  options: DrawOptions = {},
): Promise<void> {
  const device = runningDevice(tensor, 'toCanvas');
  checkOptions('toCanvas', options, DRAW_OPTIONS);
  if (!['HTMLCanvasElement', 'OffscreenCanvas'].includes(classOf(canvas)))
    throw new TypeError(`toCanvas draws on a canvas, got ${formatValue(canvas)}`);
  const params = drawParams('toCanvas', tensor, options);
  const { gpu } = device.runtime;
  checkSides('toCanvas', gpu, params);
  // A canvas has either class' method alike, but no common type for it.
  const context = (canvas as OffscreenCanvas).getContext('webgpu');
  if (context === null)
    throw new TypeError(
      "toCanvas needs a canvas for WebGPU: this one already has a context of another kind, like '2d'",
    );
  await drawn(device, tensor, () => {
    const { width, height } = params;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const alphaMode = configured(context, gpu);
    // It expires with the task, so that it is asked for when the draw's turn has come.
    const target = context.getCurrentTexture();
    checkTarget('toCanvas', target, params);
    return { target, params: { ...params, premultiply: alphaMode === 'premultiplied' } };
  });
}

/** Configures a canvas that is not yet this device's; what the page itself has configured stays. */
function configured(context: GPUCanvasContext, gpu: Gpu): GPUCanvasAlphaMode {
  // Absent in older browsers.
  const { getConfiguration } = context as Partial<GPUCanvasContext>;
  const known = getConfiguration?.call(context) ?? null;
  if (known !== null && known.device === gpu.device) return known.alphaMode;
  const format = navigator.gpu.getPreferredCanvasFormat();
  context.configure({ device: gpu.device, format, alphaMode: 'premultiplied' });
  return 'premultiplied';
}

interface Drawing {
  readonly target: GPUTexture;
  readonly params: DrawParams;
}

/** Runs what was recorded, then draws the tensor into what `prepare` gives when its turn has come. */
async function drawn(device: RunningDevice, tensor: Tensor, prepare: () => Drawing): Promise<GPUTexture> {
  const { value } = tensor;
  const { storage } = value;
  const { gpu, memory, queue } = device.runtime;
  storage.handles++;
  try {
    // The draw takes its turn now, before whatever the caller asks for next.
    const flushed = device.flush();
    const done = queue.run(() => {
      if (value.failure !== null) throw value.failure;
      gpu.throwIfFailed();
      return gpu.scoped(() => {
        const { target, params } = prepare();
        writerOf(gpu).draw(memory.placeOf(storage), value.bytes, params, target);
        return target;
      });
    });
    const [, target] = await Promise.all([flushed, done]);
    return target;
  } finally {
    device.release(storage);
  }
}

/** Throws a TypeError or RangeError for a tensor that is no picture. */
function drawParams(what: string, tensor: Tensor, { mean = 0, std = 1 }: DrawOptions): DrawParams {
  const { shape, dtype } = tensor;
  if (dtype !== 'f32') throw new TypeError(`${what} draws f32, got ${dtype}: cast the tensor first`);
  const [channels = 0, height = 0, width = 0] = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  const isPicture = shape.length === 3 || (shape.length === 4 && shape[0] === 1);
  if (!isPicture || ![1, 3, 4].includes(channels)) {
    throw new RangeError(
      `${what} draws one picture [channels, height, width] or [1, channels, height, width] of 1, 3 or 4 channels, ` +
        `got ${formatShape(shape)}`,
    );
  }
  // Alpha is neither scaled nor moved.
  const [means, stds] = [channelsOf(mean), channelsOf(std)];
  return { width, height, channels, premultiply: false, mean: [...means, 0], std: [...stds, 1] };
}

function checkSides(what: string, { limits }: Gpu, { width, height }: DrawParams): void {
  const most = limits.maxTextureDimension2D;
  if (Math.max(width, height) > most)
    throw new RangeError(
      `${what}: the device has textures of at most ${most} on a side, not ${width} x ${height}`,
    );
}

function checkTarget(what: string, texture: GPUTexture, { width, height }: DrawParams): void {
  const { format, usage, dimension, sampleCount, depthOrArrayLayers } = texture;
  if (!TARGET_FORMATS.some((name) => name === format))
    throw new TypeError(`${what} cannot draw into ${format}: one of ${TARGET_FORMATS.join(', ')} is needed`);
  if ((usage & TextureUsage.RENDER_ATTACHMENT) === 0)
    throw new TypeError(`${what} needs a texture with usage RENDER_ATTACHMENT`);
  if (dimension !== '2d' || sampleCount !== 1 || depthOrArrayLayers !== 1)
    throw new TypeError(`${what} needs a texture of one layer and one sample`);
  if (texture.width !== width || texture.height !== height) {
    throw new RangeError(
      `${what}: a picture of ${width} x ${height} does not fit a texture of ${texture.width} x ${texture.height}`,
    );
  }
}
