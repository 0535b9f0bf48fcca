// WAV files in and out.
// node-wav, the usual package, does not do: it reads the lowest 24-bit sample as +1, truncates what it writes, believes any size
// in the header, and its encoder wants Node's Buffer. The tests hold the two against each other.

import { blockOf, findSamples } from './wav-layout.ts';
import { readSamples } from './wav-samples.ts';

export interface Wav {
  /** Samples per second. */
  readonly sampleRate: number;
  /** One array per channel, all of equal length. Samples of integer formats lie in [-1, 1). */
  readonly channels: Float32Array<ArrayBuffer>[];
}

const PCM = 1;

/**
 * Decodes a WAV, RF64 or Wave64 file: PCM of 8, 16, 24 or 32 bits, float of 32 or 64 bits, A-law or mu-law.
 * Throws one sentence without the file's name (the caller puts it in front) on anything malformed.
 */
export function decodeWav(bytes: Uint8Array): Wav {
  const { format, start, frames } = findSamples({
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  });
  const channels = Array.from({ length: format.channels }, () => new Float32Array(frames));
  readSamples(bytes.subarray(start, start + frames * blockOf(format)), format, channels, 0);
  return { sampleRate: format.sampleRate, channels };
}

/**
 * Encodes channels of equal length as PCM, rounding to the nearest step; samples outside [-1, 1) are clipped.
 * Throws if there is no channel, if lengths differ, or if the file would exceed the 4 GiB limit of WAV.
 */
export function encodeWav(
  channels: readonly Float32Array[],
  sampleRate: number,
  bits: 16 | 24,
): Uint8Array<ArrayBuffer> {
  const frames = channels[0]?.length ?? 0;
  if (channels.length === 0 || channels.some((samples) => samples.length !== frames)) {
    throw new Error(
      `a WAV file needs channels of one length, got [${channels.map((samples) => samples.length).join(', ')}]`,
    );
  }
  const width = bits / 8;
  const block = width * channels.length;
  const size = frames * block;
  const padding = size % 2;
  if (size + 36 + padding >= 2 ** 32)
    throw new Error(`${size} bytes of samples pass the 4 GiB a WAV file can hold`);
  const bytes = new Uint8Array(44 + size + padding);
  const view = new DataView(bytes.buffer);
  putTag(bytes, 0, 'RIFF');
  view.setUint32(4, 36 + size + padding, true);
  putTag(bytes, 8, 'WAVE');
  putTag(bytes, 12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, bits, true);
  putTag(bytes, 36, 'data');
  view.setUint32(40, size, true);
  const scale = 2 ** (bits - 1);
  channels.forEach((samples, channel) => {
    let at = 44 + channel * width;
    for (const sample of samples) {
      const value = Math.max(-scale, Math.min(scale - 1, Math.round(sample * scale)));
      view.setUint8(at, value & 0xff);
      view.setInt16(at + width - 2, value >> (bits - 16), true);
      at += block;
    }
  });
  return bytes;
}

function putTag(bytes: Uint8Array, offset: number, name: string): void {
  for (let i = 0; i < 4; i++) bytes[offset + i] = name.charCodeAt(i);
}
