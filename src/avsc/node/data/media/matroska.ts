// The outer elements of Matroska and WebM files (RFC 8794 and 9559): one segment, which holds clusters of packets and tables.

import { cutAt, type Bytes, type Inspection } from './bytes.ts';

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const CLUSTER = 0x1f43b675;
/** SeekHead, Info, Tracks, Cluster, Cues, Chapters, Tags, Attachments. */
const KNOWN = [0x114d9b74, 0x1549a966, 0x1654ae6b, CLUSTER, 0x1c53bb6b, 0x1043a770, 0x1254c367, 0x1941a469];
/** Void and CRC-32, whose ids have one byte. */
const SHORT = [0xec, 0xbf];
const PIECE_BYTES = 2 ** 16;

export const isMatroska = (head: DataView): boolean => head.getUint32(0) === EBML;

/**
 * Looks at the elements of the segment. mediabunny 1.61 searches for the next one after something unknown, and never ends if there is none,
 * so what is unknown at the end of a file is hidden from it.
 */
export function inspectMatroska(bytes: Bytes): Inspection {
  const unknown = { cut: null, end: bytes.size };
  const header = sizeAt(bytes, 4);
  if (!header) return unknown;
  const segment = header.next + header.size;
  if (!idAt(bytes, segment, [SEGMENT])) return unknown;
  const body = sizeAt(bytes, segment + 4);
  // The size is all ones if it was not known when the file was written.
  const cut = body && cutAt(body.next + body.size, bytes.size);
  const start = body?.next ?? segment + 4 + lengthAt(bytes, segment + 4);
  return { cut: cut ?? null, end: endOfElements(bytes, start) };
}

/** The end of the last element that is known, if no cluster follows; else the end of the file. */
function endOfElements(bytes: Bytes, start: number): number {
  let offset = start;
  while (offset < bytes.size) {
    const known = idAt(bytes, offset, KNOWN) ? 4 : idAt(bytes, offset, SHORT, 1) ? 1 : 0;
    if (known === 0) return hasCluster(bytes, offset) ? bytes.size : offset;
    const element = sizeAt(bytes, offset + known);
    // A cluster of unknown size ends where the next one begins: a live recording.
    if (!element) return bytes.size;
    offset = element.next + element.size;
  }
  return bytes.size;
}

function hasCluster(bytes: Bytes, from: number): boolean {
  for (let offset = from; offset + 4 <= bytes.size; offset += PIECE_BYTES - 3) {
    const view = bytes.read(offset, PIECE_BYTES);
    for (let i = 0; i + 4 <= view.byteLength; i++) if (view.getUint32(i) === CLUSTER) return true;
  }
  return false;
}

function idAt(bytes: Bytes, offset: number, ids: readonly number[], length: 1 | 4 = 4): boolean {
  const view = bytes.read(offset, length);
  return view.byteLength === length && ids.includes(length === 4 ? view.getUint32(0) : view.getUint8(0));
}

/** Bytes of an EBML size: as many as its first one has leading zeros, plus one. */
function lengthAt(bytes: Bytes, offset: number): number {
  const view = bytes.read(offset, 1);
  return view.byteLength === 0 ? 0 : Math.clz32(view.getUint8(0)) - 23;
}

/** An EBML size, and where what follows it begins. Undefined if it is unknown or not one. */
function sizeAt(bytes: Bytes, offset: number): { readonly size: number; readonly next: number } | undefined {
  const length = lengthAt(bytes, offset);
  const view = bytes.read(offset, length);
  if (length < 1 || length > 8 || view.byteLength < length) return undefined;
  const mask = (1 << (8 - length)) - 1;
  const digits = Array.from({ length }, (_, i) => view.getUint8(i) & (i === 0 ? mask : 255));
  if (digits.every((digit, i) => digit === (i === 0 ? mask : 255))) return undefined;
  return { size: digits.reduce((sum, digit) => sum * 256 + digit, 0), next: offset + length };
}
