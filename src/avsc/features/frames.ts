// Frames of the nets from decoded pictures, by the two steps of a prepared data set: stored small, then squashed and cropped.

import { squashPicture, squashTo } from './resize.ts';

/** Throws an Error unless `size` is a side that pictures may have. */
export function checkSize(size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > 4096) {
    throw new Error(`the picture's size must be an integer from 1 to 4096, got ${size}`);
  }
}

/** Side to which a picture is squashed before its middle square of `size` pixels is cut out: 256 for 224. */
export function squashedSide(size: number): number {
  return Math.round((size * 256) / 224);
}

const STORED_SIDE = 256;

/** Size at which a picture is stored: its own, or 256 x 256 if a side is larger, the first step of Places365's script. */
export function storedSize(
  width: number,
  height: number,
): { readonly width: number; readonly height: number } {
  return Math.max(width, height) > STORED_SIDE
    ? { width: STORED_SIDE, height: STORED_SIDE }
    : { width, height };
}

/** Converts RGBA bytes [height, width, 4] to the RGB bytes [3, toHeight, toWidth] that are stored. Alpha is ignored. */
export function storedPicture(
  rgba: Uint8Array,
  width: number,
  height: number,
  to: { readonly width: number; readonly height: number },
): Uint8Array<ArrayBuffer> {
  return squashTo({ data: rgba, width, height, channels: 4 }, to.width, to.height);
}

/** Frames RGB bytes [n, 3, height, width], as they are stored. */
export interface StoredFrames {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** True if a stored picture has been squashed already as frames of this size want it, so that its middle is all that is needed. */
export function isSquashed({ width, height }: Omit<StoredFrames, 'data'>, size: number): boolean {
  return width === squashedSide(size) && height === width;
}

/**
 * Writes frames of `size` pixels a side, RGB bytes [n, 3, size, size], made of stored ones: squashed to 256/224 of the size, then cropped
 * to the middle. They are the bytes that the original picture would give if it is not larger than 256 pixels, or if the size is 224.
 */
export function framesOf({ width, height, data }: StoredFrames, size: number, out: Uint8Array): void {
  checkSize(size);
  const [from, to] = [3 * height * width, 3 * size * size];
  const count = data.length / from;
  const squashed = isSquashed({ width, height }, size);
  for (let i = 0; i < count; i++) {
    const picture = data.subarray(i * from, (i + 1) * from);
    const target = out.subarray(i * to, (i + 1) * to);
    if (squashed) cropMiddle(picture, width, size, target);
    else
      target.set(
        squashPicture({ data: picture, width, height, channels: 'planes' }, squashedSide(size), size),
      );
  }
}

function cropMiddle(picture: Uint8Array, side: number, size: number, out: Uint8Array): void {
  const start = Math.round((side - size) / 2);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < size; y++) {
      const from = (channel * side + start + y) * side + start;
      out.set(picture.subarray(from, from + size), (channel * size + y) * size);
    }
  }
}
