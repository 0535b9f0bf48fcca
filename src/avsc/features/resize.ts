/*
 * Resizing of pictures that equals Pillow's BILINEAR (Resample.c) bit for bit, because published weights were trained with
 * it: a triangle filter as wide as the larger of the two pixels, rows first, each pass rounded to bytes, weights in
 * fixed point.
 */

import { PRECISION, tapsOf, type Taps } from '../../kernels/taps.ts';

/** A picture of any size in memory: `channels` bytes per pixel, the first three of which are R, G and B; or RGB plane by plane. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number | 'planes';
}

/**
 * Squashes a picture to side x side pixels and returns the central square of `size` pixels as RGB bytes [3, size, size].
 * Throws a RangeError if a size is no positive integer or the number of bytes is not that of the picture's size.
 */
export function squashPicture(pixels: Pixels, side: number, size = side): Uint8Array<ArrayBuffer> {
  const { width, height } = pixels;
  for (const number of [width, height, side, size]) {
    if (!Number.isInteger(number) || number < 1 || size > side) {
      throw new RangeError(
        `a picture of ${width} x ${height} cannot become ${size} x ${size} of ${side} x ${side}`,
      );
    }
  }
  const start = Math.round((side - size) / 2);
  return resizePixels(pixels, tapsOf(width, side, start, size), tapsOf(height, side, start, size));
}

/** Squashes a picture to width x height pixels, as RGB bytes [3, height, width]. Throws as `squashPicture` does. */
export function squashTo(pixels: Pixels, width: number, height: number): Uint8Array<ArrayBuffer> {
  for (const number of [pixels.width, pixels.height, width, height]) {
    if (!Number.isInteger(number) || number < 1)
      throw new RangeError(
        `a picture of ${pixels.width} x ${pixels.height} cannot become ${width} x ${height}`,
      );
  }
  return resizePixels(pixels, tapsOf(pixels.width, width), tapsOf(pixels.height, height));
}

/** The columns first, then the rows, each pass rounded to bytes. */
function resizePixels(
  { data, width, height, channels }: Pixels,
  columns: readonly Taps[],
  rows: readonly Taps[],
): Uint8Array<ArrayBuffer> {
  const planar = channels === 'planes';
  const stride = planar ? 1 : channels;
  if ((!planar && channels < 3) || data.length !== width * height * (planar ? 3 : channels)) {
    throw new RangeError(`${width} x ${height} pixels of ${channels} bytes are not ${data.length} bytes`);
  }
  const result = new Uint8Array(3 * rows.length * columns.length);
  // A plane of the picture whose columns are weighed and whose rows are not.
  const lines = scratchOf(height * columns.length);
  for (let channel = 0; channel < 3; channel++) {
    const first = planar ? channel * width * height : channel;
    for (let y = 0; y < height; y++) {
      const start = first + y * width * stride;
      for (let x = 0; x < columns.length; x++)
        lines[y * columns.length + x] = weigh(data, start, stride, columns[x] as Taps);
    }
    for (let y = 0; y < rows.length; y++) {
      const at = (channel * rows.length + y) * columns.length;
      for (let x = 0; x < columns.length; x++)
        result[at + x] = weigh(lines, x, columns.length, rows[y] as Taps);
    }
  }
  return result;
}

let scratch = new Uint8Array(0);

/** At least so many bytes, kept for the next picture: allocating them anew costs more than the work on them. */
function scratchOf(bytes: number): Uint8Array {
  if (scratch.length < bytes) scratch = new Uint8Array(bytes);
  return scratch;
}

function weigh(source: Uint8Array, start: number, stride: number, { from, weights }: Taps): number {
  let sum = 1 << (PRECISION - 1);
  let at = start + from * stride;
  for (let k = 0; k < weights.length; k++, at += stride)
    sum += (source[at] as number) * (weights[k] as number);
  // Weights are not negative, so only rounding can exceed the largest byte.
  return Math.min(255, sum >> PRECISION);
}
