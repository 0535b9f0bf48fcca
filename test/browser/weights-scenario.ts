// A second of sound and pictures that is alike in a page and in Node.

import type { PictureBytes } from '../../src/avsc/index.ts';
import { uniform } from '../support/hash.ts';

/** A second of stereo sound. */
export const soundOf = (rate: number): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] => [
  Float32Array.from(uniform('left', rate)),
  Float32Array.from(uniform('right', rate)),
];

/** An opaque picture of 300 x 200 pixels, which are more than are stored, or of others. */
export function pictureBytes(which: number, width = 300, height = 200): PictureBytes {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i++) {
    const [x, y, channel] = [(i >> 2) % width, Math.floor((i >> 2) / width), i % 4];
    data[i] = channel === 3 ? 255 : (x * (channel + 1) + y * (which + 2) + 60 * which) % 256;
  }
  return { data, width, height };
}
