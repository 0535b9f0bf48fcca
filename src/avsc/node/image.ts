// Pictures as the networks see them: square RGB bytes, channel by channel.

import sharp, { type Sharp } from 'sharp';
import { messageOf } from '../../node/files.ts';

/** How any picture becomes a square of `size` pixels. */
export interface PictureOptions {
  /** Side of the result in pixels: 224 in the paper. */
  readonly size: number;
  /**
   * 'squash-crop' (default): squashed to 256/224 of the size, its centre cut out, as Places365's script does.
   * 'squash': all of the picture, its aspect not kept.
   */
  readonly fit?: 'squash-crop' | 'squash';
}

const MAX_PIXELS = 2 ** 26;

/**
 * Decodes an image file (JPEG, PNG, WebP, ...) into RGB bytes [3, size, size].
 * Throws, naming the file, if it is missing, not an image or larger than 64 megapixels.
 */
export async function decodeImage(path: string, options: PictureOptions): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await toSquare(sharp(path, { limitInputPixels: MAX_PIXELS }).rotate(), options);
  } catch (error) {
    throw new Error(`${path} cannot be read as an image: ${messageOf(error)}`, { cause: error });
  }
}

/** Turns RGBA bytes [height, width, 4] into RGB bytes [3, size, size]. */
export function resizePicture(
  rgba: Uint8Array,
  width: number,
  height: number,
  options: PictureOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  return toSquare(sharp(rgba, { raw: { width, height, channels: 4 } }), options);
}

async function toSquare(image: Sharp, options: PictureOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = options;
  if (!Number.isInteger(size) || size < 1 || size > 4096) {
    throw new Error(`the picture's size must be an integer from 1 to 4096, got ${size}`);
  }
  const side = (options.fit ?? 'squash-crop') === 'squash' ? size : Math.round((size * 256) / 224);
  const start = Math.round((side - size) / 2);
  // 'linear' reduces with a triangle as wide as the pixel becomes: PIL's BILINEAR, which Places365's script uses.
  const pixels = await image
    .flatten()
    .toColourspace('srgb')
    .resize(side, side, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
    .extract({ left: start, top: start, width: size, height: size })
    .raw()
    .toBuffer();
  const area = size * size;
  const planes = new Uint8Array(3 * area);
  const channels = pixels.length / area;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) planes[c * area + i] = pixels[i * channels + c] as number;
  }
  return planes;
}
