// Where the samples of a WAV file lie and how they are stored: RIFF, RF64 (above 4 GB, EBU 3306) and Sony's Wave64.
// The bytes are untrusted: every size is checked against the file's before anything is read by it.

import { quote } from '../../nn/checkpoint/quote.ts';

export interface WavFormat {
  readonly encoding: 'int' | 'float' | 'a-law' | 'mu-law';
  readonly channels: number;
  /** Samples per second. */
  readonly sampleRate: number;
  /** Bits per sample. */
  readonly bits: number;
}

export interface WavLayout {
  readonly format: WavFormat;
  /** Offset of the first sample, in bytes. */
  readonly start: number;
  /** Number of samples of each channel. */
  readonly frames: number;
}

/** Random access to a file's bytes. `read` is only asked for ranges that lie within `size`. */
export interface WavSource {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** Format codes of Microsoft's registry that are read. */
const CODES: ReadonlyMap<
  number,
  { readonly encoding: WavFormat['encoding']; readonly bits: readonly number[] }
> = new Map([
  [1, { encoding: 'int', bits: [8, 16, 24, 32] }],
  [3, { encoding: 'float', bits: [32, 64] }],
  [6, { encoding: 'a-law', bits: [8] }],
  [7, { encoding: 'mu-law', bits: [8] }],
]);
const EXTENSIBLE = 0xfffe;

/** A 32-bit size that is unknown: the real one stands in RF64's ds64 chunk, or the file was written to a pipe. */
const UNKNOWN = 0xffffffff;
/** Wave64 names chunks by GUIDs that begin with the name in lower case. All but the first share this end. */
const W64_RIFF = 'riff2e91cf11a5d628db04c10000';
const W64_TAIL = 'f3acd3118cd100c04f8edb8a';
const W64_HEAD = 24;

/** A format of chunks: the length of a chunk's head, its name and the size of its body, and the alignment of the next chunk. */
interface Chunks {
  readonly first: number;
  readonly head: number;
  readonly align: number;
  readonly size: (view: DataView) => number;
}

/** True if a file that begins with these bytes is a WAV file of any kind. */
export function isWav(head: Uint8Array): boolean {
  return chunksOf(head) !== undefined;
}

/**
 * Finds the samples. Unknown chunks and all that follows the data are passed over. A file that was written to a pipe, so that its
 * sizes are unknown, is read to its end. Throws one sentence without the file's name on anything malformed, cut or unsupported.
 */
export function findSamples(source: WavSource): WavLayout {
  const head = source.read(0, Math.min(source.size, 40));
  const chunks = chunksOf(head);
  if (!chunks) {
    throw new Error(`not a WAV file: it does not begin with RIFF....WAVE (${source.size} bytes)`);
  }
  const piped = tag(head, 0) === 'RIFF' && viewOf(head).getUint32(4, true) === UNKNOWN;
  let format: WavFormat | undefined;
  let long: DataView | undefined;
  let offset = chunks.first;
  while (offset + chunks.head <= source.size) {
    const header = viewOf(source.read(offset, chunks.head));
    const name = tag(new Uint8Array(header.buffer, header.byteOffset, 4), 0);
    const start = offset + chunks.head;
    const left = source.size - start;
    let size = chunks.size(header);
    if (name === 'data' && size === UNKNOWN && chunks.head === 8) {
      if (long) size = Number(long.getBigUint64(8, true));
      else if (piped) size = left - (format ? left % blockOf(format) : 0);
    }
    if (size < 0) throw new Error(`malformed WAV file: its ${quote(name)} chunk is smaller than its head`);
    if (size > left) {
      throw new Error(`truncated WAV file: its ${quote(name)} chunk says ${size} bytes, only ${left} follow`);
    }
    if (name === 'ds64' && size >= 24) long = viewOf(source.read(start, 24));
    if (name === 'fmt ') format = readFormat(viewOf(source.read(start, Math.min(size, 40))));
    if (name === 'data') {
      if (!format) throw new Error('malformed WAV file: its data comes before its format');
      return { format, start, frames: framesIn(size, format) };
    }
    offset = start + size;
    if (chunks.align === 8) offset = Math.ceil(offset / 8) * 8;
    // Chunks of odd size are padded by a zero byte, which some writers forget. No chunk's name begins with zero.
    else if (size % 2 === 1 && offset < source.size && source.read(offset, 1)[0] === 0) offset += 1;
  }
  throw new Error(`truncated WAV file: no ${format ? 'data' : 'format'} chunk in its ${source.size} bytes`);
}

/** Bytes of one sample of all channels. */
export const blockOf = ({ channels, bits }: WavFormat): number => (channels * bits) / 8;

function chunksOf(head: Uint8Array): Chunks | undefined {
  const magic = head.length >= 12 ? tag(head, 0) : '';
  if ((magic === 'RIFF' || magic === 'RF64') && tag(head, 8) === 'WAVE') {
    return { first: 12, head: 8, align: 2, size: (view) => view.getUint32(4, true) };
  }
  if (head.length >= 40 && magic + hex(head, 4, 16) === W64_RIFF && isW64Name(head, 24, 'wave')) {
    return {
      first: 40,
      head: W64_HEAD,
      align: 8,
      size: (view) => Number(view.getBigUint64(16, true)) - W64_HEAD,
    };
  }
  return undefined;
}

const isW64Name = (bytes: Uint8Array, at: number, name: string): boolean =>
  tag(bytes, at) === name && hex(bytes, at + 4, at + 16) === W64_TAIL;

function readFormat(view: DataView): WavFormat {
  if (view.byteLength < 16)
    throw new Error(
      `malformed WAV file: its format chunk has ${view.byteLength} bytes, at least 16 are needed`,
    );
  let code = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockAlign = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  // The extensible format keeps the real code in the first two bytes of its sub-format GUID.
  if (code === EXTENSIBLE && view.byteLength >= 40) code = view.getUint16(24, true);
  const known = CODES.get(code);
  if (!known?.bits.includes(bits)) {
    throw new Error(
      `unsupported WAV encoding (format ${code}, ${bits} bits): convert it to PCM of 8, 16, 24 or 32 bits, ` +
        `float of 32 or 64 bits, A-law or mu-law`,
    );
  }
  if (channels === 0 || sampleRate === 0) {
    throw new Error(`malformed WAV file: it declares ${channels} channels at ${sampleRate} Hz`);
  }
  const format: WavFormat = { encoding: known.encoding, channels, sampleRate, bits };
  if (blockAlign !== blockOf(format)) {
    throw new Error(
      `malformed WAV file: ${channels} channels of ${bits} bits are ${blockOf(format)} bytes, ` +
        `its block size says ${blockAlign}`,
    );
  }
  return format;
}

function framesIn(size: number, format: WavFormat): number {
  const block = blockOf(format);
  if (size === 0) throw new Error('the WAV file holds no samples');
  if (size % block !== 0) {
    throw new Error(
      `truncated WAV file: ${size} bytes of data are not a whole number of ${block}-byte frames`,
    );
  }
  return size / block;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function tag(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  return Array.from(bytes.subarray(from, to), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
