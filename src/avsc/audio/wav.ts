// RIFF/WAVE in and out. The bytes are untrusted: every size is checked before anything is allocated.
// node-wav, the usual package, does not do: it reads the lowest 24-bit sample as +1, truncates what it writes, believes any size
// in the header, and its encoder wants Node's Buffer. The tests hold the two against each other.

export interface Wav {
  /** Samples per second. */
  readonly sampleRate: number;
  /** One array per channel, all of equal length. Samples of integer formats lie in [-1, 1). */
  readonly channels: Float32Array<ArrayBuffer>[];
}

interface WavFormat {
  readonly encoding: 'int' | 'float';
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/**
 * Decodes a WAV file: PCM of 16, 24 or 32 bits or 32-bit float, plain or WAVE_FORMAT_EXTENSIBLE.
 * Unknown chunks and everything after the data chunk are skipped.
 * Throws one sentence without the file's name (the caller puts it in front) on anything malformed.
 */
export function decodeWav(bytes: Uint8Array): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') {
    throw new Error(`not a WAV file: it does not begin with RIFF....WAVE (${bytes.length} bytes)`);
  }
  let format: WavFormat | undefined;
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const name = tag(view, offset);
    const size = view.getUint32(offset + 4, true);
    const start = offset + 8;
    if (size > bytes.length - start) {
      throw new Error(
        `truncated WAV file: its ${JSON.stringify(name)} chunk says ${size} bytes, ` +
          `only ${bytes.length - start} follow`,
      );
    }
    if (name === 'fmt ') format = readFormat(view, start, size);
    if (name === 'data') {
      if (!format) throw new Error('malformed WAV file: its data comes before its format');
      return { sampleRate: format.sampleRate, channels: readSamples(bytes, view, format, start, size) };
    }
    offset = start + size;
    // Chunks of odd size are padded by a zero byte, which some writers forget. No chunk's name begins with zero.
    if (size % 2 === 1 && bytes[offset] === 0) offset += 1;
  }
  throw new Error(`truncated WAV file: no ${format ? 'data' : 'format'} chunk in its ${bytes.length} bytes`);
}

function readFormat(view: DataView, start: number, size: number): WavFormat {
  if (size < 16)
    throw new Error(`malformed WAV file: its format chunk has ${size} bytes, at least 16 are needed`);
  let code = view.getUint16(start, true);
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const blockAlign = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  // The extensible format keeps the real code in the first two bytes of its sub-format GUID.
  if (code === EXTENSIBLE && size >= 40) code = view.getUint16(start + 24, true);
  const encoding = code === PCM ? 'int' : 'float';
  const known = (code === PCM && [16, 24, 32].includes(bits)) || (code === IEEE_FLOAT && bits === 32);
  if (!known) {
    throw new Error(
      `unsupported WAV encoding (format ${code}, ${bits} bits): convert it to PCM of 16, 24 or 32 bits or 32-bit float`,
    );
  }
  if (channels === 0 || sampleRate === 0) {
    throw new Error(`malformed WAV file: it declares ${channels} channels at ${sampleRate} Hz`);
  }
  if (blockAlign !== (channels * bits) / 8) {
    throw new Error(
      `malformed WAV file: ${channels} channels of ${bits} bits are ${(channels * bits) / 8} bytes, ` +
        `its block size says ${blockAlign}`,
    );
  }
  return { encoding, channels, sampleRate, bits };
}

function readSamples(
  bytes: Uint8Array,
  view: DataView,
  format: WavFormat,
  start: number,
  size: number,
): Float32Array<ArrayBuffer>[] {
  const width = format.bits / 8;
  const block = width * format.channels;
  if (size === 0) throw new Error('the WAV file holds no samples');
  if (size % block !== 0) {
    throw new Error(
      `truncated WAV file: ${size} bytes of data are not a whole number of ${block}-byte frames`,
    );
  }
  const frames = size / block;
  return Array.from({ length: format.channels }, (_, channel) => {
    const samples = new Float32Array(frames);
    let at = start + channel * width;
    for (let i = 0; i < frames; i++, at += block) {
      samples[i] = format.encoding === 'float' ? view.getFloat32(at, true) : readInt(bytes, view, at, width);
    }
    if (format.encoding === 'float' && !samples.every(Number.isFinite)) {
      throw new Error(`the WAV file holds a sample that is not a number or infinite in channel ${channel}`);
    }
    return samples;
  });
}

function readInt(bytes: Uint8Array, view: DataView, at: number, width: number): number {
  if (width === 2) return view.getInt16(at, true) / 2 ** 15;
  if (width === 4) return view.getInt32(at, true) / 2 ** 31;
  return (((bytes[at + 2] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at] ?? 0) << 8)) / 2 ** 31;
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

function tag(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}

function putTag(bytes: Uint8Array, offset: number, name: string): void {
  for (let i = 0; i < 4; i++) bytes[offset + i] = name.charCodeAt(i);
}
