import { createHash } from 'node:crypto';
import type { Random } from '../../../src/avsc/dataset/random.ts';
import { extentOf, type Extent } from '../../../src/avsc/augment/pictures/instruction.ts';
import type { MagnitudeScale, PictureOperationName } from '../../../src/avsc/augment/pictures/operation.ts';
import { operationProgram } from '../../../src/avsc/augment/pictures/policy.ts';
import { fnv1a, hashWord } from '../../support/hash.ts';
import { readJson } from '../../support/oracle.ts';

/** Operation, M, scale, side or extent, kind of picture, sign, centre x and y of a cutout, digest of Pillow's result. */
type PictureCase<Size extends number | Extent = number> = readonly [
  PictureOperationName,
  number,
  MagnitudeScale,
  Size,
  PictureKindName,
  1 | -1,
  number,
  number,
  string,
];

type PictureKindName = 'noise' | 'narrow' | 'smooth' | 'flat';

export const { cases, autocontrast } = readJson('augment/pictures.json') as {
  readonly cases: readonly PictureCase[];
  readonly autocontrast: { readonly pairs: number; readonly digest: string };
};

export const rectangles = (
  readJson('augment/rectangles.json') as { readonly cases: readonly PictureCase<Extent>[] }
).cases;

export const SIZES = [...new Set(cases.map(([, , , size]) => size))];

/** Bytes [3, height, width], as tools/augment_cases.py makes them. */
export function pictureOf(kind: PictureKindName, size: number | Extent): Uint8Array<ArrayBuffer> {
  const { width, height } = extentOf(size);
  const seed = fnv1a(`augment/${kind}/${width === height ? width : `${width}x${height}`}`);
  const area = width * height;
  return Uint8Array.from({ length: 3 * area }, (_, i) => {
    const c = Math.floor(i / area);
    const [y, x] = [Math.floor(i / width) % height, i % width];
    const noise = hashWord(seed, i + 6);
    const low = hashWord(seed, c) % 100;
    switch (kind) {
      case 'noise':
        return noise & 255;
      case 'narrow':
        return low + (noise % (1 + (hashWord(seed, c + 3) % 150)));
      case 'smooth':
        return (3 * x + 5 * y + 40 * c) & 255;
      case 'flat':
        return low;
    }
  });
}

/** The program of a case: its sign and place are what the stream gives. */
export function programOf([name, magnitude, scale, size, , sign, x, y]: PictureCase<
  number | Extent
>): Int32Array<ArrayBuffer> {
  const { width, height } = extentOf(size);
  const draws = name === 'Cutout' ? [(x + 0.5) / width, (y + 0.5) / height] : [sign < 0 ? 0.25 : 0.75];
  const random: Random = () => {
    const draw = draws.shift();
    if (draw === undefined) throw new Error(`${name} draws more numbers than the case has`);
    return draw;
  };
  return operationProgram(name, magnitude, scale, size, random);
}

/**
 * Pictures [n, 3, 16, 16] whose channels hold every pair of a lowest and a highest byte, as tools/augment_cases.py makes them.
 */
export function stretchedPictures(): Uint8Array<ArrayBuffer> {
  const pairs = Array.from({ length: 256 }, (_, low) =>
    Array.from({ length: 256 - low }, (_, i) => [low, low + i] as const),
  ).flat();
  pairs.push(...pairs.slice(0, (3 - (pairs.length % 3)) % 3));
  const bytes = new Uint8Array(pairs.length * 256);
  pairs.forEach(([low, high], channel) => {
    for (let i = 0; i < 256; i++) bytes[channel * 256 + i] = low + (i % (high - low + 1));
  });
  return bytes;
}

export const digestOf = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 16);
