// RGB bytes as the u32 words that kernels read.

import { pictureWords } from '../../../kernels/pictures.ts';

/** Sums of bytes over a picture of this side still fit u32. */
const MAX_SIZE = 2048;

/** Throws a RangeError unless `size` is a side that pictures may have. */
export function checkPictureSize(size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
    throw new RangeError(`pictures are of 1 to ${MAX_SIZE} pixels a side, got ${size}`);
}

/**
 * Pictures [n, 3, size, size] of bytes as words [n, pictureWords(size)], four bytes a word, the lowest first. Each picture starts a word
 * of its own: where that needs no padding, and the bytes start at a multiple of 4, the words are a view of them. Throws a RangeError
 * where the bytes are no whole pictures.
 */
export function packPictures(bytes: Uint8Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> {
  checkPictureSize(size);
  const pictureBytes = 3 * size * size;
  const count = bytes.length / pictureBytes;
  if (!Number.isInteger(count) || count === 0)
    throw new RangeError(`${bytes.length} bytes are no pictures of 3 x ${size} x ${size}`);
  const words = pictureWords(size);
  if (LITTLE_ENDIAN && pictureBytes % 4 === 0 && bytes.byteOffset % 4 === 0)
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count * words);
  const packed = new Uint32Array(count * words);
  for (let picture = 0; picture < count; picture++) {
    const [from, to] = [picture * pictureBytes, picture * words];
    for (let i = 0; i < pictureBytes; i++) {
      const word = to + (i >> 2);
      packed[word] = (packed[word] ?? 0) | ((bytes[from + i] ?? 0) << (8 * (i & 3)));
    }
  }
  return packed;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
