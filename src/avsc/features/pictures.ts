// Decoded pictures as the input of a video net.

import { byteTable } from '../../kernels/pixels.ts';

/** Preprocessing of pictures: squashed and cropped to RGB bytes [3, size, size], then (x / 255 - mean) / std per channel. */
export interface PictureInput {
  readonly kind: 'picture';
  /** Side in pixels. */
  readonly size: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** (x / 255 - mean) / std of RGB bytes [..., 3, size, size]. */
export function normalisePictures(
  frames: Uint8Array,
  size: number,
  { mean, std }: Pick<PictureInput, 'mean' | 'std'>,
  out: Float32Array,
): void {
  const tables = mean.map((m, c) => byteTable(m, std[c] ?? 1));
  const area = size * size;
  for (let plane = 0; plane * area < frames.length; plane++) {
    const values = tables[plane % 3] as Float32Array;
    const end = (plane + 1) * area;
    for (let i = plane * area; i < end; i++) out[i] = values[frames[i] as number] as number;
  }
}
