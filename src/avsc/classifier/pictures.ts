// Pictures as a page or a program has them, as frames of the nets.

import { formatValue } from '../../tensor/graph/wording.ts';
import { framesOf, isSquashed, storedSize } from '../features/frames.ts';
import { squashTo, type Pixels } from '../features/resize.ts';

/** Bytes in memory: rows of `channels` bytes a pixel, the first three of which are R, G and B (default 4). */
export interface PictureBytes {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels?: number;
}

/** A picture: bytes (an ImageData is some), or what a canvas can draw. Transparency is ignored in bytes. */
export type ScenePicture =
  | PictureBytes
  | ImageBitmap
  | VideoFrame
  | OffscreenCanvas
  | HTMLCanvasElement
  | HTMLVideoElement
  | HTMLImageElement;

/** The pictures of a second at 0 s and at 14/30 s, or one that stands for both. */
export type SceneImages = ScenePicture | readonly [ScenePicture] | readonly [ScenePicture, ScenePicture];

/** Most pixels of a picture. */
const MAX_PIXELS = 2 ** 26;

/** What only a canvas, or the device, can read. */
export type DrawnPicture = Exclude<ScenePicture, PictureBytes>;

/**
 * The two pictures of a second if the device can make frames of them in one step: if none is in bytes, and if `predict` and the data set
 * would not squash them twice. Null if not. Throws as `framesOfImages` does.
 */
export function drawnPictures(
  images: SceneImages,
  size: number,
): readonly [DrawnPicture, DrawnPicture] | null {
  const pictures = listOf(images);
  const fits = pictures.every((picture) => {
    if (isBytes(picture)) return false;
    const own = sizeOf(picture);
    const stored = storedSize(own.width, own.height);
    return (stored.width === own.width && stored.height === own.height) || isSquashed(stored, size);
  });
  return fits ? (pictures as readonly [DrawnPicture, DrawnPicture]) : null;
}

/** RGB bytes [2, 3, size, size] of a second's pictures. Throws a TypeError or RangeError of one sentence. */
export function framesOfImages(images: SceneImages, size: number): Uint8Array<ArrayBuffer> {
  const [first, second] = listOf(images);
  const bytes = 3 * size * size;
  const frames = new Uint8Array(2 * bytes);
  writeFrame(first, size, frames.subarray(0, bytes));
  if (second === first) frames.copyWithin(bytes, 0, bytes);
  else writeFrame(second, size, frames.subarray(bytes));
  return frames;
}

function listOf(images: SceneImages): readonly [ScenePicture, ScenePicture] {
  const list: readonly ScenePicture[] = Array.isArray(images)
    ? (images as ScenePicture[])
    : [images as ScenePicture];
  const [first, second = first] = list;
  if (first === undefined || second === undefined || list.length > 2)
    throw new RangeError(`images must be one picture or two (of 0 s and 14/30 s), got ${list.length}`);
  return [first, second];
}

/** The two steps by which `predict` and the data set make frames, so that equal pictures give equal bytes. */
function writeFrame(picture: ScenePicture, size: number, out: Uint8Array): void {
  const pixels = pixelsOf(picture);
  const stored = storedSize(pixels.width, pixels.height);
  framesOf({ ...stored, data: squashTo(pixels, stored.width, stored.height) }, size, out);
}

function pixelsOf(picture: ScenePicture): Pixels {
  const given: unknown = picture;
  if (isBytes(given)) return checkedBytes(given);
  return drawn(picture as DrawnPicture);
}

function isBytes(value: unknown): value is PictureBytes {
  return typeof value === 'object' && value !== null && 'data' in value;
}

function checkedBytes(picture: PictureBytes): Pixels {
  const { data, width, height, channels = 4 } = picture;
  if ('colorSpace' in picture && picture.colorSpace !== 'srgb')
    throw new TypeError(
      `an ImageData has the colors of ${formatValue(picture.colorSpace)}: ask for it in 'srgb'`,
    );
  const isByteArray = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  if (!isByteArray) throw new TypeError(`the data of a picture must be bytes, got ${formatValue(data)}`);
  const fits = [width, height, channels].every((value) => Number.isInteger(value) && value > 0);
  if (!fits || channels < 3 || data.length !== width * height * channels)
    throw new RangeError(
      `a picture of ${width} x ${height} pixels of ${channels} bytes has not ${data.length} bytes`,
    );
  return { data: new Uint8Array(data.buffer, data.byteOffset, data.length), width, height, channels };
}

/** The pixels of what only a canvas can read. */
function drawn(picture: DrawnPicture): Pixels {
  const { width, height } = sizeOf(picture);
  if (!(width >= 1 && height >= 1 && width * height <= MAX_PIXELS))
    throw new RangeError(
      `a picture has ${width} x ${height} pixels: it is closed, not loaded yet, or too large`,
    );
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no 2D canvas to read pictures with');
  context.drawImage(picture, 0, 0, width, height);
  // Throws a SecurityError of its own if the picture is of another origin.
  const { data } = context.getImageData(0, 0, width, height);
  return { data: new Uint8Array(data.buffer), width, height, channels: 4 };
}

function sizeOf(picture: DrawnPicture): {
  readonly width: number;
  readonly height: number;
} {
  if (typeof VideoFrame !== 'undefined' && picture instanceof VideoFrame)
    return { width: picture.displayWidth, height: picture.displayHeight };
  if (typeof HTMLVideoElement !== 'undefined' && picture instanceof HTMLVideoElement)
    return { width: picture.videoWidth, height: picture.videoHeight };
  if (typeof HTMLImageElement !== 'undefined' && picture instanceof HTMLImageElement)
    return { width: picture.naturalWidth, height: picture.naturalHeight };
  const kinds = [
    typeof ImageBitmap === 'undefined' ? null : ImageBitmap,
    typeof OffscreenCanvas === 'undefined' ? null : OffscreenCanvas,
    typeof HTMLCanvasElement === 'undefined' ? null : HTMLCanvasElement,
  ];
  if (kinds.some((kind) => kind !== null && (picture as unknown) instanceof kind))
    return picture as ImageBitmap | OffscreenCanvas | HTMLCanvasElement;
  throw new TypeError(
    `a picture must be bytes with width and height, an ImageData, ImageBitmap, VideoFrame, canvas, video or image, got ${formatValue(picture)}`,
  );
}
