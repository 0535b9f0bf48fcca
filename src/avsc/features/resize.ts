/*
 * Resizing of pictures that equals Pillow's BILINEAR (Resample.c) bit for bit, because published weights were trained with
 * it: a triangle filter as wide as the larger of the two pixels, rows first, each pass rounded to bytes, weights in
 * fixed point.
 */

const PRECISION = 22;

/** Pixels from..from+weights.length of a line, and their weights in one pixel of the result. */
interface Taps {
  readonly from: number;
  readonly weights: Int32Array;
}

/** A picture of any size in memory: `channels` bytes per pixel, the first three of which are R, G and B. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/**
 * Squashes a picture to side x side pixels and returns the central square of `size` pixels as RGB bytes [3, size, size].
 * Throws a RangeError if a size is no positive integer or the number of bytes is not that of the picture's size.
 */
export function squashPicture(pixels: Pixels, side: number, size = side): Uint8Array<ArrayBuffer> {
  const { data, width, height, channels } = pixels;
  for (const number of [width, height, side, size]) {
    if (!Number.isInteger(number) || number < 1 || size > side) {
      throw new RangeError(
        `a picture of ${width} x ${height} cannot become ${size} x ${size} of ${side} x ${side}`,
      );
    }
  }
  if (channels < 3 || data.length !== width * height * channels) {
    throw new RangeError(`${width} x ${height} pixels of ${channels} bytes are not ${data.length} bytes`);
  }
  const start = Math.round((side - size) / 2);
  const columns = tapsOf(width, side).slice(start, start + size);
  const rows = tapsOf(height, side).slice(start, start + size);
  const result = new Uint8Array(3 * size * size);
  const line = new Uint8Array(height);
  for (let channel = 0; channel < 3; channel++) {
    columns.forEach((column, x) => {
      for (let y = 0; y < height; y++)
        line[y] = weigh(data, y * width * channels + channel, channels, column);
      rows.forEach((row, y) => (result[(channel * size + y) * size + x] = weigh(line, 0, 1, row)));
    });
  }
  return result;
}

function weigh(source: Uint8Array, start: number, stride: number, { from, weights }: Taps): number {
  let sum = 1 << (PRECISION - 1);
  let at = start + from * stride;
  for (let k = 0; k < weights.length; k++, at += stride)
    sum += (source[at] as number) * (weights[k] as number);
  // Weights are not negative, so only rounding can exceed the largest byte.
  return Math.min(255, sum >> PRECISION);
}

/** The taps of each pixel when a line of `count` pixels is resized to `to` pixels. */
function tapsOf(count: number, to: number): Taps[] {
  const scale = count / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const until = Math.min(count, Math.trunc(centre + support + 0.5));
    const triangle = Array.from({ length: until - from }, (_, k) =>
      Math.max(0, 1 - Math.abs((from + k - centre + 0.5) / support)),
    );
    const total = triangle.reduce((sum, weight) => sum + weight, 0);
    const weights = Int32Array.from(triangle, (weight) =>
      Math.trunc(0.5 + (weight / total) * 2 ** PRECISION),
    );
    return { from, weights };
  });
}
