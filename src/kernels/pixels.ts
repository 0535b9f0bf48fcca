import nan from '../../shaders/lib_nan.wgsl';
import source from '../../shaders/lib_pixel_source.wgsl';
import weights from '../../shaders/lib_pixel_weights.wgsl';
import pixels from '../../shaders/lib_pixels.wgsl';
import srgb from '../../shaders/lib_srgb.wgsl';
import columnsSource from '../../shaders/pixels_columns.wgsl';
import drawSource from '../../shaders/pixels_draw.wgsl';
import tensorSource from '../../shaders/pixels_tensor.wgsl';
import type { Taps } from './taps.ts';
import { expandTemplate } from './template.ts';

/*
 * Pictures into tensors and tensors into pictures. These kernels bind textures and belong to no plan, so that they are not Dispatches:
 * src/tensor/pixels binds and submits them.
 */

/** Threads of a workgroup in each of two dimensions. */
export const PIXEL_TILE = 8;

/** What a source's pixels are: bytes, bytes behind an -srgb format, f32 values, or bytes of a GPUExternalTexture. */
export type PixelKind = 'bytes' | 'srgb' | 'float' | 'external';

/** WGSL of the pass that weighs a picture's lines. */
export const pixelColumns = (kind: PixelKind): string =>
  expandTemplate('pixels_columns', columnsSource, {
    include: { pixels, weights, source, srgb },
    when: { BYTES: kind !== 'float', SRGB: kind === 'srgb', EXTERNAL: kind === 'external' },
  });

/** WGSL of the pass that writes a tensor. */
export const pixelTensor = (kind: PixelKind, resized: boolean): string =>
  expandTemplate('pixels_tensor', tensorSource, {
    include: { pixels, weights, source, srgb, nan },
    when: {
      RESIZED: resized,
      BYTES: kind !== 'float',
      SRGB: kind === 'srgb',
      EXTERNAL: kind === 'external',
    },
  });

/** WGSL that draws a tensor into a target of 8 bits a channel or more, which encodes to sRGB or not. */
export const pixelDraw = (target: { readonly bytes: boolean; readonly srgb: boolean }): string =>
  expandTemplate('pixels_draw', drawSource, {
    include: { nan, srgb },
    when: { BYTES: target.bytes, SRGB: target.srgb },
  });

/** The 256 values (byte / 255 - mean) / std of a channel. */
export const byteTable = (mean: number, std: number): Float32Array =>
  Float32Array.from({ length: 256 }, (_, value) => (value / 255 - mean) / std);

/** Words of the longest of the records that `packTaps` makes. */
export const tapRecord = (taps: readonly Taps[]): number =>
  2 + taps.reduce((most, { weights }) => Math.max(most, weights.length), 0);

/** Taps as pixel shaders read them: records of `tapRecord` words. */
export function packTaps(taps: readonly Taps[], kind: PixelKind): Uint32Array<ArrayBuffer> {
  const record = tapRecord(taps);
  const words = new Uint32Array(taps.length * record);
  const floats = new Float32Array(words.buffer);
  taps.forEach(({ from, weights }, i) => {
    const at = i * record;
    words.set([from, weights.length], at);
    if (kind === 'float') {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      floats.set(
        Array.from(weights, (weight) => weight / total),
        at + 2,
      );
    } else words.set(weights, at + 2);
  });
  return words;
}

/** The numbers that the passes from a picture to a tensor need. */
export interface PixelParams {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly firstLine: number;
  readonly lines: number;
  readonly columnRecord: number;
  readonly rowRecord: number;
  readonly picture: number;
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The uniform of the passes from a picture to a tensor (lib_pixels). */
export function packPixelParams(params: PixelParams): Uint32Array<ArrayBuffer> {
  const { left, top, width, height, firstLine, lines, columnRecord, rowRecord } = params;
  const { picture, sourceWidth, sourceHeight, mean, std } = params;
  const numbers = [left, top, width, height, firstLine, lines, columnRecord, rowRecord];
  return packUniform([...numbers, picture, sourceWidth, sourceHeight], mean, std);
}

/** u32 numbers, and behind them, each from a multiple of four words on, two vectors of f32. */
function packUniform(
  numbers: readonly number[],
  mean: readonly number[],
  std: readonly number[],
): Uint32Array<ArrayBuffer> {
  const at = Math.ceil(numbers.length / 4) * 4;
  const words = new Uint32Array(at + 8);
  words.set(numbers);
  const floats = new Float32Array(words.buffer);
  floats.set(mean, at);
  floats.set(std, at + 4);
  return words;
}

/** The numbers that drawing needs; mean and std of four channels. */
export interface DrawParams {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly premultiply: boolean;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The uniform of pixels_draw. */
export function packDrawParams(params: DrawParams): Uint32Array<ArrayBuffer> {
  const { width, height, channels, premultiply, mean, std } = params;
  return packUniform([width, height, channels, premultiply ? 1 : 0], mean, std);
}
