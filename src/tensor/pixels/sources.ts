import { TextureUsage } from '../../gpu/flags.ts';
import type { PixelKind } from '../../kernels/pixels.ts';
import { formatValue } from '../graph/wording.ts';

/** RGBA bytes, row by row: an ImageData, or the like of it where there is none. */
export interface PixelBytes {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/**
 * A video's frame, with its size in pixels, which a GPUExternalTexture does not tell. A wrong size gives NaN. Colors are those that
 * shaders see, which browsers convert to sRGB; a VideoFrame or video itself gives those that a canvas shows.
 */
export interface ExternalPixels {
  readonly texture: GPUExternalTexture;
  readonly width: number;
  readonly height: number;
}

/** What a tensor can be made of. Alpha is passed over: colors are those that are not multiplied by it. */
export type PixelSource =
  | ImageBitmap
  | VideoFrame
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | ImageData
  | PixelBytes
  | GPUTexture
  | ExternalPixels;

/** What a browser copies to textures. */
type Image = Exclude<GPUCopyExternalImageSource, ImageData>;

/** A source that has been checked. */
export type CheckedSource = { readonly name: string; readonly width: number; readonly height: number } & (
  | { readonly from: 'image'; readonly image: Image }
  | { readonly from: 'video'; readonly image: VideoFrame | HTMLVideoElement }
  | { readonly from: 'bytes'; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly from: 'texture'; readonly texture: GPUTexture; readonly kind: PixelKind }
  | { readonly from: 'external'; readonly texture: GPUExternalTexture }
);

/** How the pixels of a texture's format are read. */
const FORMATS: Readonly<Record<string, PixelKind>> = {
  rgba8unorm: 'bytes',
  bgra8unorm: 'bytes',
  'rgba8unorm-srgb': 'srgb',
  'bgra8unorm-srgb': 'srgb',
  rgb10a2unorm: 'float',
  rg11b10ufloat: 'float',
  rgba16unorm: 'float',
  rgba16float: 'float',
  rgba32float: 'float',
};

/** A picture's classes of the browser, with the sizes that copies of them have. */
const IMAGES: Readonly<Record<string, (image: never) => readonly [number, number]>> = {
  ImageBitmap: ({ width, height }: ImageBitmap) => [width, height],
  HTMLCanvasElement: ({ width, height }: HTMLCanvasElement) => [width, height],
  OffscreenCanvas: ({ width, height }: OffscreenCanvas) => [width, height],
  HTMLImageElement: ({ naturalWidth, naturalHeight }: HTMLImageElement) => [naturalWidth, naturalHeight],
  VideoFrame: ({ displayWidth, displayHeight }: VideoFrame) => [displayWidth, displayHeight],
  HTMLVideoElement: ({ readyState, videoWidth, videoHeight }: HTMLVideoElement) =>
    readyState < 2 ? [0, 0] : [videoWidth, videoHeight],
};

/** Why there are no pixels, for those that may have some later or had some before. */
const EMPTY: Readonly<Record<string, string>> = {
  ImageBitmap: 'it was closed',
  VideoFrame: 'it was closed',
  HTMLVideoElement: "it has no frame yet: wait for its event 'loadeddata'",
  HTMLImageElement: 'it has not been loaded: await its decode()',
};

/** The name of a built-in object's class, whichever realm it comes from. */
export const classOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** Throws a TypeError for what is no picture, and a RangeError where it has no pixels or more than the device's textures. */
export function checkSource(name: string, source: unknown, maxSide: number): CheckedSource {
  const checked = sourceOf(name, source);
  const { width, height } = checked;
  const what = `fromPixels: ${name}`;
  if (!isSide(width) || !isSide(height)) {
    const why = EMPTY[classOf(source)];
    throw new RangeError(
      `${what} has no pixels${why === undefined ? `: ${formatValue(width)} x ${formatValue(height)}` : `, ${why}`}`,
    );
  }
  if (Math.max(width, height) > maxSide)
    throw new RangeError(`${what} has ${width} x ${height} pixels, the device at most ${maxSide} on a side`);
  if (checked.from === 'bytes' && checked.data.length !== 4 * width * height) {
    throw new RangeError(
      `${what} has ${width} x ${height} pixels, which are ${4 * width * height} bytes of RGBA, not ${checked.data.length}`,
    );
  }
  return checked;
}

const isSide = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0;

function sourceOf(name: string, source: unknown): CheckedSource {
  const type = classOf(source);
  const sizeOf = IMAGES[type];
  if (sizeOf !== undefined) {
    const [width, height] = sizeOf(source as never);
    return isVideo(source)
      ? { name, from: 'video', image: source, width, height }
      : { name, from: 'image', image: source as Image, width, height };
  }
  if (type === 'GPUTexture') return textureSource(name, source as GPUTexture);
  if (type === 'GPUExternalTexture')
    throw new TypeError(
      `fromPixels: ${name} is a GPUExternalTexture, which does not tell its size: give { texture, width, height }`,
    );
  if (typeof source === 'object' && source !== null) {
    if ('data' in source) return bytesSource(name, source as PixelBytes);
    if ('texture' in source) {
      const { texture, width, height } = source as ExternalPixels;
      if (classOf(texture) === 'GPUExternalTexture')
        return { name, from: 'external', texture, width, height };
    }
  }
  throw new TypeError(
    `fromPixels takes pictures (ImageBitmap, VideoFrame, video, canvas, img, ImageData, GPUTexture, RGBA bytes as ` +
      `{ data, width, height }), but ${name} is ${formatValue(source)}`,
  );
}

/** True for pictures with the transfer function of a video, which is not that of sRGB. */
function isVideo(source: unknown): source is VideoFrame | HTMLVideoElement {
  const type = classOf(source);
  if (type === 'VideoFrame') return (source as VideoFrame).colorSpace.transfer !== 'iec61966-2-1';
  return type === 'HTMLVideoElement';
}

function bytesSource(name: string, image: ImageData | PixelBytes): CheckedSource {
  const { width, height } = image;
  const data: unknown = image.data;
  const space = (image as Partial<ImageData>).colorSpace ?? 'srgb';
  if (space !== 'srgb')
    throw new TypeError(
      `fromPixels: ${name} has the color space '${space}': ask for its data in 'srgb', or give the canvas itself`,
    );
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
    throw new TypeError(`fromPixels: the data of ${name} must be bytes, got ${formatValue(data)}`);
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
  return { name, from: 'bytes', data: bytes, width, height };
}

function textureSource(name: string, texture: GPUTexture): CheckedSource {
  const { width, height, format, usage, dimension, sampleCount, depthOrArrayLayers } = texture;
  const what = `fromPixels: ${name}`;
  const kind = FORMATS[format];
  if (kind === undefined)
    throw new TypeError(`${what} has format ${format}: one of ${Object.keys(FORMATS).join(', ')} is needed`);
  if ((usage & TextureUsage.TEXTURE_BINDING) === 0)
    throw new TypeError(`${what} is a texture without usage TEXTURE_BINDING, so that it cannot be read`);
  if (dimension !== '2d' || sampleCount !== 1 || depthOrArrayLayers !== 1)
    throw new TypeError(
      `${what} must be a texture of one layer and one sample, got ${dimension} with ${depthOrArrayLayers} layers and ${sampleCount} samples`,
    );
  return { name, from: 'texture', texture, kind, width, height };
}
