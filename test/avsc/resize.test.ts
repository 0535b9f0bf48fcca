import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { squashPicture } from '../../src/avsc/features/resize.ts';
import { fnv1a, hashWord } from '../support/hash.ts';
import { readJson } from '../support/oracle.ts';

interface PictureFixture {
  readonly pictures: readonly {
    readonly width: number;
    readonly height: number;
    readonly side: number;
    readonly sha256: string;
  }[];
}

/** Hashed bytes, as tools/picture_cases.py has them. */
function hashedPicture(width: number, height: number): Uint8Array {
  const seed = fnv1a(`picture/${width}x${height}`);
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => hashWord(seed, i) & 255);
}

const { pictures } = readJson('pictures.json') as PictureFixture;

test.each(pictures)(
  "$width x $height to $side is Pillow's, bit for bit",
  ({ width, height, side, sha256 }) => {
    const data = hashedPicture(width, height);
    const planes = squashPicture({ data, width, height, channels: 3 }, side);
    expect(createHash('sha256').update(planes).digest('hex')).toBe(sha256);
  },
);

test('the middle is what is in the middle of the whole', () => {
  const pixels = { data: hashedPicture(50, 30), width: 50, height: 30, channels: 3 };
  const whole = squashPicture(pixels, 16);
  const middle = squashPicture(pixels, 16, 12);
  const expected = Array.from({ length: 3 * 12 * 12 }, (_, i) => {
    const [c, y, x] = [Math.floor(i / 144), Math.floor(i / 12) % 12, i % 12];
    return whole[(c * 16 + y + 2) * 16 + x + 2];
  });
  expect([...middle]).toEqual(expected);
});

test('a fourth byte of each pixel is passed over', () => {
  const rgb = hashedPicture(9, 7);
  const rgba = Uint8Array.from({ length: 9 * 7 * 4 }, (_, i) => {
    return i % 4 === 3 ? 99 : (rgb[Math.floor(i / 4) * 3 + (i % 4)] ?? 0);
  });
  const size = { width: 9, height: 7 };
  expect(squashPicture({ data: rgba, ...size, channels: 4 }, 5)).toEqual(
    squashPicture({ data: rgb, ...size, channels: 3 }, 5),
  );
});

test('sizes that make no picture are refused', () => {
  const pixels = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 };
  expect(() => squashPicture(pixels, 4, 5)).toThrow('2 x 2 cannot become 5 x 5 of 4 x 4');
  expect(() => squashPicture(pixels, 0)).toThrow('cannot become 0 x 0');
  expect(() => squashPicture({ ...pixels, width: 3 }, 4)).toThrow('3 x 2 pixels of 3 bytes are not 12 bytes');
  expect(() => squashPicture({ ...pixels, channels: 1 }, 4)).toThrow('pixels of 1 bytes');
});
