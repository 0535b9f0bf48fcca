// Inputs of the nets as small PNG files in data: URIs.

import sharp from 'sharp';

/** Longest side of a picture in a report: twice the size at which it is shown on a phone. */
const SIDE = 160;

/** Matplotlib's magma at equal distances, interpolated in between. */
const MAGMA = [
  0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779, 0xd0416f,
  0xe75263, 0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
] as const;

/**
 * Values [mel, frames], such as one channel of a log-mel, in the colors of magma from the lowest to the highest finite value. Low
 * frequencies are at the bottom, each frame is `widthScale` pixels wide. Values that are not finite are black.
 * Throws a RangeError if the sizes disagree.
 */
export async function spectrogramPng(
  values: Float32Array,
  frames: number,
  widthScale: number,
): Promise<string> {
  const mels = values.length / frames;
  if (!Number.isInteger(mels) || mels === 0) {
    throw new RangeError(`${values.length} values are not rows of ${frames} frames`);
  }
  if (!Number.isInteger(widthScale) || widthScale < 1) {
    throw new RangeError(`a frame is a whole number of pixels wide, got ${widthScale}`);
  }
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = high > low ? high - low : 1;
  const width = frames * widthScale;
  const pixels = new Uint8Array(mels * width * 3);
  for (let y = 0; y < mels; y++) {
    for (let x = 0; x < width; x++) {
      const value = values[(mels - 1 - y) * frames + Math.floor(x / widthScale)] ?? NaN;
      pixels.set(Number.isFinite(value) ? magma((value - low) / range) : [0, 0, 0], (y * width + x) * 3);
    }
  }
  return pngUri(pixels, width, mels);
}

/** RGB bytes [3, size, size] as a picture, made smaller if it is larger than a report shows. Throws a RangeError for other lengths. */
export async function picturePng(planes: Uint8Array, size: number): Promise<string> {
  const plane = size * size;
  if (planes.length !== 3 * plane || plane === 0) {
    throw new RangeError(`a picture of [3, ${size}, ${size}] has ${3 * plane} bytes, got ${planes.length}`);
  }
  const pixels = new Uint8Array(planes.length);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = planes[c * plane + i] ?? 0;
  }
  return pngUri(pixels, size, size);
}

/** A color of the map for a value from 0 to 1. */
function magma(value: number): [number, number, number] {
  const at = value * (MAGMA.length - 1);
  const from = Math.min(Math.floor(at), MAGMA.length - 2);
  const [a, b] = [MAGMA[from] ?? 0, MAGMA[from + 1] ?? 0];
  const channel = (shift: number): number => {
    const [low, high] = [(a >> shift) & 255, (b >> shift) & 255];
    return Math.round(low + (high - low) * (at - from));
  };
  return [channel(16), channel(8), channel(0)];
}

/** A palette of 256 colors makes a photograph a third as large; at this size the eye does not see it. */
async function pngUri(pixels: Uint8Array, width: number, height: number): Promise<string> {
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: SIDE, height: SIDE, fit: 'inside', withoutEnlargement: true })
    .png({ palette: true, compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}
