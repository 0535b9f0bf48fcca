/** Puts `fromPixels` on devices, `toTexture` and `toCanvas` on tensors, instead of the methods that say what must be imported for them. */
import { Device } from '../device.ts';
import { Tensor } from '../graph/tensor.ts';
import { fromPixels } from './from_pixels.ts';
import type { PixelOptions } from './options.ts';
import type { PixelSource } from './sources.ts';
import { toCanvas, toTexture, type DrawOptions, type TextureOptions } from './to_texture.ts';

Device.prototype.fromPixels = function (
  this: Device,
  source: PixelSource | readonly PixelSource[],
  options?: PixelOptions,
) {
  return fromPixels(this, source, options);
};
Tensor.prototype.toTexture = function (this: Tensor, options?: TextureOptions) {
  return toTexture(this, options);
};
Tensor.prototype.toCanvas = function (
  this: Tensor,
  canvas: HTMLCanvasElement | OffscreenCanvas,
  options?: DrawOptions,
) {
  return toCanvas(this, canvas, options);
};
