// What a container says of its size, read before anything believes it: absurd tables are refused, and a file that was cut is known.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MediaError } from './errors.ts';
import { checkFragment, checkSampleTables } from './mp4-tables.ts';

/** Boxes at the top level of an mp4 file that are looked at. An hour in fragments of half a second has 14,400. */
const MAX_BOXES = 100_000;
/** An hour at 60 frames a second has tables of about 10 MB. */
const MAX_TABLES = 2 ** 28;

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;

/** Random access to a file. Reads fewer bytes at its end. */
interface Bytes {
  readonly size: number;
  read(offset: number, length: number): DataView;
}

/**
 * What shows that the file was cut, as a clause; null if nothing does. Throws a MediaError if a table of an
 * mp4 file lists more samples than can be there.
 */
export function inspectContainer(path: string): string | null {
  const file = openSync(path, 'r');
  try {
    const bytes: Bytes = {
      size: fstatSync(file).size,
      read: (offset, length) => {
        const buffer = new Uint8Array(length);
        const count = readSync(file, buffer, 0, length, offset);
        return new DataView(buffer.buffer, 0, count);
      },
    };
    const head = bytes.read(0, 12);
    if (head.byteLength < 12) return null;
    if (head.getUint32(0) === EBML) return inspectMatroska(bytes);
    if (isBoxType(head, 4)) return inspectMp4(bytes);
    if (isTransportStream(bytes)) return inspectTransportStream(bytes);
    return null;
  } finally {
    closeSync(file);
  }
}

function inspectMp4(bytes: Bytes): string | null {
  const moov: DataView[] = [];
  const fragments: DataView[] = [];
  let offset = 0;
  for (let n = 0; n < MAX_BOXES && offset + 8 <= bytes.size; n++) {
    const head = bytes.read(offset, 16);
    if (head.byteLength < 8 || !isBoxType(head, 4)) break;
    const type = typeAt(head, 4);
    const short = head.getUint32(0);
    const large = short === 1 && head.byteLength === 16;
    const size = large ? Number(head.getBigUint64(8)) : short === 0 ? bytes.size - offset : short;
    const start = large ? 16 : 8;
    if (size < start) break;
    if (type === 'moov' || type === 'moof') {
      const length = Math.min(size, bytes.size - offset) - start;
      if (length > MAX_TABLES)
        throw new MediaError(`has tables of ${length} bytes, more than a media file can need`);
      (type === 'moov' ? moov : fragments).push(bytes.read(offset + start, length));
    }
    offset += size;
  }
  // A file that was cut may describe bytes that it no longer has.
  const described = Math.max(bytes.size, Math.min(offset, 2 ** 40));
  for (const tables of moov) checkSampleTables(tables, described);
  for (const tables of fragments) checkFragment(tables, described);
  return cutAt(offset, bytes.size);
}

/** The segment holds all clusters; its size is all ones if it was not known when the file was written. */
function inspectMatroska(bytes: Bytes): string | null {
  const header = sizeAt(bytes, 4);
  if (!header) return null;
  const segment = header.next + header.size;
  const id = bytes.read(segment, 4);
  if (id.byteLength < 4 || id.getUint32(0) !== SEGMENT) return null;
  const body = sizeAt(bytes, segment + 4);
  return body ? cutAt(body.next + body.size, bytes.size) : null;
}

/** Packets of 188 bytes, each of which begins with G. */
const TS_PACKET = 188;

function isTransportStream(bytes: Bytes): boolean {
  const start = bytes.read(0, TS_PACKET + 1);
  return start.byteLength > TS_PACKET && start.getUint8(0) === 0x47 && start.getUint8(TS_PACKET) === 0x47;
}

function inspectTransportStream({ size }: Bytes): string | null {
  const rest = size % TS_PACKET;
  return rest === 0 ? null : `its last packet has ${rest} of ${TS_PACKET} bytes`;
}

function cutAt(described: number, size: number): string | null {
  return described > size ? `its header describes ${described} bytes, it has ${size}` : null;
}

/** An EBML size: as many bytes as its first one has leading zeros, plus one. Undefined if it is unknown or not one. */
function sizeAt(bytes: Bytes, offset: number): { readonly size: number; readonly next: number } | undefined {
  const view = bytes.read(offset, 8);
  const first = view.byteLength > 0 ? view.getUint8(0) : 0;
  const length = Math.clz32(first) - 23;
  if (first === 0 || length > view.byteLength) return undefined;
  const digits = [first & ((1 << (8 - length)) - 1)];
  for (let i = 1; i < length; i++) digits.push(view.getUint8(i));
  const unknown = digits[0] === (1 << (8 - length)) - 1 && digits.slice(1).every((digit) => digit === 255);
  if (unknown) return undefined;
  return { size: digits.reduce((sum, digit) => sum * 256 + digit, 0), next: offset + length };
}

/** Types of boxes are four letters or digits, or one of QuickTime's with a space or a sign at its end. */
function isBoxType(view: DataView, offset: number): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9 \-_]{3}$/.test(typeAt(view, offset));
}

function typeAt(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}
