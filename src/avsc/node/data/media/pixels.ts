// A decoded picture as upright RGB bytes.

import { toAvFrame } from '@mediabunny/server';
import type { VideoSample } from 'mediabunny';
import { AV_PIX_FMT_RGBA, Frame, SoftwareScaleContext } from 'node-av';
import { MediaError } from './errors.ts';

const MAX_SIDE = 8192;

export interface Picture {
  /** [height, width, 4]. */
  readonly rgba: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * The picture as FFmpeg turns it into RGB, with the video's own matrix (BT.601, 709, 2020) and range, and then turned upright.
 * mediabunny's own conversion takes every video for BT.601. Throws a MediaError if a side is longer than 8192 pixels.
 */
export async function toPicture(sample: VideoSample): Promise<Picture> {
  const { codedWidth: width, codedHeight: height } = sample;
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new MediaError(`has pictures of ${width} x ${height}, more than ${MAX_SIDE} pixels a side`);
  }
  return turned(await toRgba(sample, width, height), sample.rotation, sample.flip);
}

async function toRgba(sample: VideoSample, width: number, height: number): Promise<Picture> {
  const source = new Frame();
  const target = new Frame();
  // A context without sizes takes matrix and range from the frames.
  const scaler = new SoftwareScaleContext();
  try {
    source.alloc();
    await toAvFrame(sample, source);
    target.alloc();
    target.width = width;
    target.height = height;
    target.format = AV_PIX_FMT_RGBA;
    scaler.allocContext();
    const problem = target.allocBuffer() < 0 || (await scaler.scaleFrame(target, source)) < 0;
    const [bytes] = target.data ?? [];
    const stride = target.linesize[0] ?? 0;
    if (problem || !bytes) throw new MediaError(`has pictures that FFmpeg cannot turn into RGB`);
    const rgba = new Uint8Array(4 * width * height);
    for (let y = 0; y < height; y++)
      rgba.set(bytes.subarray(y * stride, y * stride + 4 * width), 4 * width * y);
    return { rgba, width, height };
  } finally {
    scaler.freeContext();
    source.free();
    target.free();
  }
}

/** The picture rotated clockwise by degrees, then mirrored left to right if `flip`. */
export function turned(picture: Picture, rotation: 0 | 90 | 180 | 270, flip: boolean): Picture {
  if (rotation === 0 && !flip) return picture;
  const { width, height } = picture;
  const from = new Uint32Array(picture.rgba.buffer, picture.rgba.byteOffset, width * height);
  const [outWidth, outHeight] = rotation % 180 === 0 ? [width, height] : [height, width];
  const to = new Uint32Array(width * height);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const across = flip ? outWidth - 1 - x : x;
      to[y * outWidth + x] = from[sourceOf(rotation, across, y, width, height)] ?? 0;
    }
  }
  return { rgba: new Uint8Array(to.buffer), width: outWidth, height: outHeight };
}

/** Index of the pixel that comes to (x, y) when a picture of width x height is rotated clockwise. */
function sourceOf(rotation: 0 | 90 | 180 | 270, x: number, y: number, width: number, height: number): number {
  switch (rotation) {
    case 0:
      return y * width + x;
    case 90:
      return (height - 1 - x) * width + y;
    case 180:
      return (height - 1 - y) * width + (width - 1 - x);
    case 270:
      return x * width + (width - 1 - y);
  }
}
