// The samples of a WAV file as floats.

import { blockOf, type WavFormat } from './wav-layout.ts';

/**
 * Reads interleaved samples into `channels`, from sample `at` of each channel on. `bytes` is a whole number of blocks.
 * Throws one sentence if a float is NaN or infinite.
 */
export function readSamples(
  bytes: Uint8Array,
  format: WavFormat,
  channels: readonly Float32Array[],
  at: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readerOf(format);
  const width = format.bits / 8;
  const block = blockOf(format);
  const frames = bytes.length / block;
  for (const [channel, samples] of channels.entries()) {
    for (let i = 0, from = channel * width; i < frames; i++, from += block) {
      const value = read(view, from);
      if (!Number.isFinite(value)) {
        throw new Error(`the WAV file holds a sample that is not a number or infinite in channel ${channel}`);
      }
      samples[at + i] = value;
    }
  }
}

function readerOf({ encoding, bits }: WavFormat): (view: DataView, at: number) => number {
  switch (encoding) {
    case 'float':
      // A double beyond the floats' range becomes infinite, and is refused as such.
      return bits === 64
        ? (view, at) => Math.fround(view.getFloat64(at, true))
        : (view, at) => view.getFloat32(at, true);
    case 'a-law':
      return (view, at) => A_LAW[view.getUint8(at)] as number;
    case 'mu-law':
      return (view, at) => MU_LAW[view.getUint8(at)] as number;
    case 'int':
      switch (bits) {
        case 8:
          return (view, at) => (view.getUint8(at) - 128) / 2 ** 7;
        case 16:
          return (view, at) => view.getInt16(at, true) / 2 ** 15;
        case 24:
          return (view, at) => ((view.getInt16(at + 1, true) << 8) | view.getUint8(at)) / 2 ** 23;
        default:
          return (view, at) => view.getInt32(at, true) / 2 ** 31;
      }
  }
}

/** ITU-T G.711: 8 bits hold sign, exponent e (3 bits) and mantissa m (4 bits) of a sample of 16 bits. */
const MU_LAW = Float32Array.from({ length: 256 }, (_, code) => {
  const { sign, e, m } = partsOf(~code);
  // The bias of 132 keeps the mantissa's leading one in place.
  return (sign * (((2 * m + 33) << (e + 2)) - 132)) / 2 ** 15;
});

const A_LAW = Float32Array.from({ length: 256 }, (_, code) => {
  // Even bits are inverted, and so is the sign beside mu-law's.
  const { sign, e, m } = partsOf(code ^ 0x55);
  const magnitude = e === 0 ? (2 * m + 1) << 3 : (2 * m + 33) << (e + 2);
  return (-sign * magnitude) / 2 ** 15;
});

function partsOf(code: number): { readonly sign: number; readonly e: number; readonly m: number } {
  return { sign: code & 0x80 ? -1 : 1, e: (code >> 4) & 7, m: code & 15 };
}
