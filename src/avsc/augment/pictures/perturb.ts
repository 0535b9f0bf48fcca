// What the kernels of src/kernels/pictures.ts do, on the host and bit for bit: for pictures that are shown, and to check the kernels.
// Everything is exactly PIL 9.4 on x86-64; where PIL computes in f32 or f64, this does too, and the kernels do the same in integers.

import { INSTRUCTION_WORDS, PICTURE_FILL, PICTURE_KINDS } from '../../../kernels/pictures.ts';
import { extentOf, type Extent } from './instruction.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A picture [3, height, width] of bytes and the parameters of an instruction. */
interface Work extends Extent {
  readonly bytes: Uint8Array;
  readonly parameters: Int32Array;
}

/**
 * One picture [3, height, width] of RGB bytes after the instructions of a program, one after another. A number as size is the side of a
 * square. Throws a RangeError where the bytes or the program are of another length, or an instruction is unknown.
 */
export function perturbBytes(bytes: Uint8Array, program: Int32Array, size: number | Extent): Bytes {
  const { width, height } = extentOf(size);
  if (bytes.length === 0 || bytes.length !== 3 * width * height)
    throw new RangeError(`${bytes.length} bytes are no picture of 3 x ${height} x ${width}`);
  if (program.length % INSTRUCTION_WORDS !== 0)
    throw new RangeError(`a program has ${INSTRUCTION_WORDS} words an instruction, got ${program.length}`);
  let result = new Uint8Array(bytes);
  for (let at = 0; at < program.length; at += INSTRUCTION_WORDS) {
    const parameters = program.subarray(at + 1, at + INSTRUCTION_WORDS);
    result = applyInstruction(program[at] ?? 0, { bytes: result, width, height, parameters });
  }
  return result;
}

function applyInstruction(kind: number, work: Work): Bytes {
  const [p = 0, q = 0] = work.parameters;
  switch (kind) {
    case PICTURE_KINDS.IDENTITY:
      return new Uint8Array(work.bytes);
    case PICTURE_KINDS.AFFINE:
      return transform(work);
    case PICTURE_KINDS.CUTOUT:
      return cutOut(work);
    case PICTURE_KINDS.COLOR: {
      const greys = greyBytes(work);
      return blendWith(work, (i) => greys[i % greys.length] ?? 0);
    }
    case PICTURE_KINDS.SHARPNESS:
      return blendWith(work, (i) => smoothed(work, i));
    case PICTURE_KINDS.SOLARIZE:
      return work.bytes.map((v) => (v < p ? v : 255 - v));
    case PICTURE_KINDS.POSTERIZE:
      return work.bytes.map((v) => v & p);
    case PICTURE_KINDS.INVERT:
      return work.bytes.map((v) => 255 - v);
    case PICTURE_KINDS.BRIGHTNESS:
      return blendWith(work, () => 0);
    case PICTURE_KINDS.CONTRAST: {
      const greys = greyBytes(work);
      const mean = Math.trunc(greys.reduce((sum, v) => sum + v, 0) / greys.length + 0.5);
      return blendWith(work, () => mean);
    }
    case PICTURE_KINDS.AUTO_CONTRAST:
      return byChannelTable(work, stretch);
    case PICTURE_KINDS.EQUALIZE:
      return byChannelTable(work, equalize);
    default:
      throw new RangeError(`a picture instruction of kind ${kind} with ${p}, ${q} is unknown`);
  }
}

/** PIL's affine_fixed of Geometry.c: the nearest pixel by 16.16, grey outside. */
function transform({ bytes, width, height, parameters }: Work): Bytes {
  const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = parameters;
  const result = new Uint8Array(bytes.length).fill(PICTURE_FILL);
  const area = width * height;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const fromX = (a2 + y * a1 + x * a0) >> 16;
      const fromY = (a5 + y * a4 + x * a3) >> 16;
      if (fromX < 0 || fromY < 0 || fromX >= width || fromY >= height) continue;
      for (let plane = 0; plane < 3 * area; plane += area)
        result[plane + y * width + x] = bytes[plane + fromY * width + fromX] ?? 0;
    }
  }
  return result;
}

function cutOut({ bytes, width, height, parameters }: Work): Bytes {
  const [left = 0, top = 0, right = 0, bottom = 0] = parameters;
  const result = new Uint8Array(bytes);
  for (let row = 0; row < 3 * height; row++) {
    const y = row % height;
    if (y >= top && y < bottom) result.fill(PICTURE_FILL, row * width + left, row * width + right);
  }
  return result;
}

/** PIL's ImagingBlend of Blend.c with a degenerate picture, in f32: the product rounds, then the sum, which is cut off. */
function blendWith({ bytes, parameters }: Work, degenerate: (i: number) => number): Bytes {
  const [mantissa = 0, shift = 0] = parameters;
  const factor = mantissa * 2 ** -shift;
  return bytes.map((value, i) => {
    const from = degenerate(i);
    const sum = Math.fround(from + Math.fround(factor * (value - from)));
    return Math.max(0, Math.min(255, Math.trunc(sum)));
  });
}

/** PIL's conversion to L. */
function greyBytes({ bytes, width, height }: Work): Uint8Array {
  const area = width * height;
  return Uint8Array.from({ length: area }, (_, i) => {
    const [red = 0, green = 0, blue = 0] = [bytes[i], bytes[area + i], bytes[2 * area + i]];
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  });
}

/** ImageFilter.SMOOTH: ((1 1 1) (1 5 1) (1 1 1)) / 13, rounded; the border keeps its bytes. */
function smoothed({ bytes, width, height }: Work, i: number): number {
  const x = i % width;
  const y = Math.floor(i / width) % height;
  const middle = bytes[i] ?? 0;
  if (x === 0 || y === 0 || x >= width - 1 || y >= height - 1) return middle;
  let sum = 4 * middle;
  for (let row = i - width; row <= i + width; row += width)
    for (let at = row - 1; at <= row + 1; at++) sum += bytes[at] ?? 0;
  return Math.floor((2 * sum + 13) / 26);
}

function byChannelTable(
  { bytes, width, height }: Work,
  tableOf: (counts: Uint32Array) => ArrayLike<number>,
): Bytes {
  const area = width * height;
  const result = new Uint8Array(bytes.length);
  for (let plane = 0; plane < bytes.length; plane += area) {
    const counts = new Uint32Array(256);
    for (let i = plane; i < plane + area; i++) {
      const value = bytes[i] ?? 0;
      counts[value] = (counts[value] ?? 0) + 1;
    }
    const table = tableOf(counts);
    for (let i = plane; i < plane + area; i++) result[i] = table[bytes[i] ?? 0] ?? 0;
  }
  return result;
}

/** ImageOps.autocontrast without a cutoff, in f64. */
function stretch(counts: Uint32Array): ArrayLike<number> {
  const low = counts.findIndex((count) => count > 0);
  const high = counts.findLastIndex((count) => count > 0);
  if (high <= low) return SAME;
  const scale = 255 / (high - low);
  const offset = -low * scale;
  return SAME.map((v) => Math.max(0, Math.min(255, Math.trunc(v * scale + offset))));
}

/** ImageOps.equalize. */
function equalize(counts: Uint32Array): ArrayLike<number> {
  const last = counts.findLast((count) => count > 0) ?? 0;
  const step = Math.floor((counts.reduce((sum, count) => sum + count, 0) - last) / 255);
  if (step === 0) return SAME;
  let below = Math.floor(step / 2);
  return Array.from(counts, (count) => {
    const value = Math.min(255, Math.floor(below / step));
    below += count;
    return value;
  });
}

const SAME: readonly number[] = Array.from({ length: 256 }, (_, v) => v);
