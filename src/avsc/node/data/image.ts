// Pictures as RGB bytes, plane by plane.

import sharp from 'sharp';
import { messageOf } from '../../../node/files.ts';
import { checkSize, squashedSide } from '../../features/frames.ts';
import { squashPicture, type Pixels } from '../../features/resize.ts';

/** How a picture is resized to a square of `size` pixels. */
interface PictureOptions {
  /** Side of the result in pixels: 224 in the paper. */
  readonly size: number;
  /**
   * 'squash-crop' (default): squashed to 256/224 of the size and cropped to the centre, as in Places365's script.
   * 'squash': the whole picture, without keeping its aspect ratio.
   */
  readonly fit?: 'squash-crop' | 'squash';
}

const MAX_PIXELS = 2 ** 26;

/**
 * Decodes an image file (JPEG, PNG, WebP, ...) into RGB bytes [3, size, size].
 * Throws, naming the file, if it is missing, not an image or larger than 64 megapixels.
 */
export async function decodeImage(path: string, options: PictureOptions): Promise<Uint8Array<ArrayBuffer>> {
  return toSquare(await readPixels(path), options);
}

/**
 * Decodes an image file (JPEG, PNG, WebP, ...) at its own size, turned upright, onto black where it is transparent.
 * Throws, naming the file, if it is missing, not an image or larger than 64 megapixels.
 */
export async function readPixels(path: string): Promise<Pixels & { readonly channels: number }> {
  try {
    const { data, info } = await sharp(path, { limitInputPixels: MAX_PIXELS })
      .rotate()
      .flatten()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { data, width, height, channels };
  } catch (error) {
    throw new Error(`${path} cannot be read as an image: ${messageOf(error)}`, { cause: error });
  }
}

function toSquare(pixels: Pixels, { size, fit = 'squash-crop' }: PictureOptions): Uint8Array<ArrayBuffer> {
  checkSize(size);
  return squashPicture(pixels, fit === 'squash' ? size : squashedSide(size), size);
}
