// Samples of sound as the integers of the file that they came from.

/** Formats of stored samples, from the smallest on. */
export const SOUND_FORMATS = ['i16', 'i24', 'f32'] as const;

export type SoundFormat = (typeof SOUND_FORMATS)[number];

export const SAMPLE_BYTES: Readonly<Record<SoundFormat, number>> = { i16: 2, i24: 3, f32: 4 };

const I16 = 2 ** 15;
const I24 = 2 ** 23;

/** The smallest format that keeps every sample: the integers of 16-bit and 24-bit files, f32 for all else. */
export function formatOf(channels: readonly Float32Array[]): SoundFormat {
  let format: SoundFormat = 'i16';
  for (const samples of channels) {
    if (format === 'i16' && !areIntegers(samples, I16)) format = 'i24';
    if (format === 'i24' && !areIntegers(samples, I24)) return 'f32';
  }
  return format;
}

function areIntegers(samples: Float32Array, scale: number): boolean {
  for (let i = 0; i < samples.length; i++) {
    const value = (samples[i] as number) * scale;
    if (value !== Math.round(value) || value < -scale || value >= scale) return false;
  }
  return true;
}

/** Writes samples in [-1, 1) as bytes of a format, which `formatOf` chose. */
export function encodeSamples(samples: Float32Array, format: SoundFormat, out: Uint8Array): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i] as number;
    switch (format) {
      case 'i16':
        view.setInt16(2 * i, value * I16, true);
        break;
      case 'i24': {
        const integer = value * I24;
        out[3 * i] = integer & 255;
        out[3 * i + 1] = (integer >> 8) & 255;
        out[3 * i + 2] = (integer >> 16) & 255;
        break;
      }
      case 'f32':
        view.setFloat32(4 * i, value, true);
        break;
    }
  }
}

/** Reads as many samples as `out` takes, to the bit as they were before `encodeSamples`. */
export function decodeSamples(bytes: Uint8Array, format: SoundFormat, out: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (format) {
    case 'i16':
      for (let i = 0; i < out.length; i++) out[i] = view.getInt16(2 * i, true) / I16;
      break;
    case 'i24':
      for (let i = 0, at = 0; i < out.length; i++, at += 3) {
        const integer =
          ((bytes[at] as number) << 8) |
          ((bytes[at + 1] as number) << 16) |
          ((bytes[at + 2] as number) << 24);
        // The sign is in the highest of 32 bits, the value 8 bits up.
        out[i] = integer / 2 ** 31;
      }
      break;
    case 'f32':
      for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true);
      break;
  }
}
