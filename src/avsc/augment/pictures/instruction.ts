// Instructions for the kernels of src/kernels/pictures.ts, computed on the host in f64 as PIL 9.4 computes them.

import { INSTRUCTION_WORDS, PICTURE_KINDS, type PictureKind } from '../../../kernels/pictures.ts';

/** i32 [INSTRUCTION_WORDS]: kind, then parameters. A program is several of them, one after another. */
export type Instruction = Int32Array<ArrayBuffer>;

export function instructionOf(kind: PictureKind, ...parameters: readonly number[]): Instruction {
  const words = new Int32Array(INSTRUCTION_WORDS);
  words[0] = PICTURE_KINDS[kind];
  words.set(parameters, 1);
  return words;
}

export const IDENTITY = instructionOf('IDENTITY');

/**
 * Blend of a picture with its degenerate form by `factor`, 1 for the picture itself (PIL's ImageEnhance). The factor becomes an f32 as
 * in PIL, passed as mantissa and shift. Throws a RangeError unless 2^-8 <= factor < 4.
 */
export function blendInstruction(
  kind: 'COLOR' | 'SHARPNESS' | 'BRIGHTNESS' | 'CONTRAST',
  factor: number,
): Instruction {
  const rounded = Math.fround(factor);
  if (!(rounded >= 2 ** -8 && rounded < 4))
    throw new RangeError(`a factor of ${kind.toLowerCase()} is at least 1/256 and below 4, got ${factor}`);
  if (rounded === 1) return IDENTITY;
  const shift = 23 - Math.floor(Math.log2(rounded));
  return instructionOf(kind, rounded * 2 ** shift, shift);
}

/** Pixels of a picture from side to side. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** A picture's extent; a number is the side of a square. */
export const extentOf = (size: number | Extent): Extent =>
  typeof size === 'number' ? { width: size, height: size } : size;

/** Input coordinates of an output pixel (x, y): (a x + b y + c, d x + e y + f). */
type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const toFixed16 = (value: number): number => Math.floor(value * 65536 + 0.5);

/**
 * PIL's `transform(size, AFFINE, matrix)` with the nearest pixel. PIL steps through the input in 16.16 from the first pixel's centre.
 * Without shear it steps in f64, of which only whole shifts are taken here. Throws a RangeError where a coordinate exceeds 16.16.
 */
export function affineInstruction(matrix: AffineMatrix, extent: Extent): Instruction {
  const [a, b, c, d, e, f] = matrix;
  if (b === 0 && d === 0) {
    if (a !== 1 || e !== 1)
      throw new RangeError(`an affine transform without shear cannot scale by ${a}, ${e}`);
    return shiftInstruction(Math.floor(c + 0.5), Math.floor(f + 0.5), extent);
  }
  const { width, height } = extent;
  const corners = [0, width].flatMap((x) =>
    [0, height].flatMap((y) => [a * x + b * y + c, d * x + e * y + f]),
  );
  if (corners.some((coordinate) => !(Math.abs(coordinate) < 32768)))
    throw new RangeError(
      `an affine transform of ${width} x ${height} pixels reaches ${Math.max(...corners)}, at most 32768`,
    );
  return instructionOf(
    'AFFINE',
    toFixed16(a),
    toFixed16(b),
    toFixed16(c + a * 0.5 + b * 0.5),
    toFixed16(d),
    toFixed16(e),
    toFixed16(f + d * 0.5 + e * 0.5),
  );
}

/** Pixel (x, y) comes from (x + dx, y + dy). A shift of more than the picture empties it. */
function shiftInstruction(dx: number, dy: number, { width, height }: Extent): Instruction {
  if (dx === 0 && dy === 0) return IDENTITY;
  const fixed = (shift: number, side: number) => Math.max(-side, Math.min(side, shift)) * 65536 + 32768;
  return instructionOf('AFFINE', 65536, 0, fixed(dx, width), 0, 65536, fixed(dy, height));
}

/** PIL's `rotate(degrees)`, counterclockwise about the centre, for less than a quarter turn either way. */
export function rotateInstruction(degrees: number, extent: Extent): Instruction {
  if (!(Math.abs(degrees) < 90)) throw new RangeError(`a rotation is less than 90 degrees, got ${degrees}`);
  if (degrees === 0) return IDENTITY;
  const angle = -((degrees < 0 ? degrees + 360 : degrees) * (Math.PI / 180));
  // PIL rounds to 15 decimals.
  const cosine = Number(Math.cos(angle).toFixed(15));
  const sine = Number(Math.sin(angle).toFixed(15));
  const [x, y] = [extent.width / 2, extent.height / 2];
  const c = cosine * -x + sine * -y + x;
  const f = -sine * -x + cosine * -y + y;
  return affineInstruction([cosine, sine, c, -sine, cosine, f], extent);
}

/** A grey rectangle of `2 half` pixels around (x, y), cut at the border. */
export function cutoutInstruction(
  x: number,
  y: number,
  half: number,
  { width, height }: Extent,
): Instruction {
  const low = (at: number) => Math.max(0, at - half);
  const high = (at: number, side: number) => Math.min(side, at + half);
  return half === 0 ? IDENTITY : instructionOf('CUTOUT', low(x), low(y), high(x, width), high(y, height));
}

/** Bytes of at least `threshold` are inverted. */
export const solarizeInstruction = (threshold: number): Instruction =>
  instructionOf('SOLARIZE', Math.ceil(threshold));

/** Each byte keeps its `bits` upper bits. */
export const posterizeInstruction = (bits: number): Instruction =>
  instructionOf('POSTERIZE', 256 - 2 ** (8 - bits));
