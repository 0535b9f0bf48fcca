// Pictures, and what the host makes of them.

import { squashTo } from '../../src/avsc/features/resize.ts';
import { BufferUsage, MAP_MODE_READ } from '../../src/gpu/flags.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { byteTable } from '../../src/kernels/pixels.ts';
import { fnv1a, hashWord } from './hash.ts';

export const MEAN = [0.485, 0.456, 0.406] as const;
export const STD = [0.229, 0.224, 0.225] as const;

/** RGBA bytes. */
export interface Picture {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** A picture of hashed bytes, alpha too. */
export function pictureOf(width: number, height: number, seed = 0): Picture {
  const word = fnv1a(`pixels/${width}x${height}/${seed}`);
  const data = Uint8Array.from({ length: 4 * width * height }, (_, i) => hashWord(word, i) & 255);
  return { data, width, height };
}

export const pairOf = (size: number | readonly [number, number]): readonly [number, number] =>
  typeof size === 'number' ? [size, size] : size;

/** A rectangle of a picture. */
export function cut(picture: Picture, x: number, y: number, width: number, height: number): Picture {
  const lines = Array.from({ length: height }, (_, row) => {
    const start = 4 * ((y + row) * picture.width + x);
    return [...picture.data.subarray(start, start + 4 * width)];
  });
  return { data: Uint8Array.from(lines.flat()), width, height };
}

/** What the host makes of a picture: RGB bytes of planes, of the middle of the resized picture. */
export function hostBytes(
  picture: Picture,
  resize: readonly [number, number],
  size: readonly [number, number] = resize,
): number[] {
  const planes = squashTo({ ...picture, channels: 4 }, resize[1], resize[0]);
  const [top, left] = [Math.round((resize[0] - size[0]) / 2), Math.round((resize[1] - size[1]) / 2)];
  return Array.from({ length: 3 * size[0] * size[1] }, (_, i) => {
    const [channel, rest] = [Math.floor(i / (size[0] * size[1])), i % (size[0] * size[1])];
    const [y, x] = [top + Math.floor(rest / size[1]), left + (rest % size[1])];
    return planes[(channel * resize[0] + y) * resize[1] + x] ?? NaN;
  });
}

/** Bytes of planes, normalized as the nets' inputs are. */
export function hostValues(
  bytes: readonly number[],
  mean: readonly number[],
  std: readonly number[],
): number[] {
  const area = bytes.length / 3;
  const tables = mean.map((m, c) => byteTable(m, std[c] ?? 1));
  return bytes.map((byte, i) => tables[Math.floor(i / area)]?.[byte] ?? NaN);
}

/** A texture's bytes, row by row. */
export async function bytesIn(
  gpu: Gpu,
  texture: GPUTexture,
  pixelBytes = 4,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height } = texture;
  const bytesPerRow = Math.ceil((width * pixelBytes) / 256) * 256;
  const size = bytesPerRow * height;
  const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
  const buffer = gpu.device.createBuffer({ size, usage });
  gpu.submit((encoder) => encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, [width, height]));
  await buffer.mapAsync(MAP_MODE_READ);
  const rows = new Uint8Array(buffer.getMappedRange().slice(0));
  buffer.destroy();
  return Uint8Array.from({ length: width * height * pixelBytes }, (_, i) => {
    const row = Math.floor(i / (width * pixelBytes));
    return rows[row * bytesPerRow + (i % (width * pixelBytes))] ?? 0;
  });
}
