// What a container says of its size, read before anything believes it: absurd tables are refused, and a file that was cut is known.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { cutAt, type Bytes, type Inspection } from './bytes.ts';
import { MediaError } from './errors.ts';
import { inspectMatroska, isMatroska } from './matroska.ts';
import { checkFragment, checkSampleTables } from './mp4-tables.ts';

/** Boxes at the top level of an mp4 file that are looked at. An hour in fragments of half a second has 14,400. */
const MAX_BOXES = 100_000;
/** An hour at 60 frames a second has tables of about 10 MB. */
const MAX_TABLES = 2 ** 28;

/** Looks at a file. Throws a MediaError if it asks for more than can be there. */
export function inspectContainer(path: string): Inspection {
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
    const end = bytes.size;
    if (head.byteLength < 12) return { cut: null, end };
    if (isMatroska(head)) return inspectMatroska(bytes);
    if (isBoxType(head, 4)) return { cut: inspectMp4(bytes), end };
    if (isTransportStream(bytes)) return { cut: inspectTransportStream(bytes), end };
    if (isAdtsFrame(head)) checkAdts(bytes);
    return { cut: null, end };
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

/** A frame of raw AAC (ISO/IEC 14496-3, 1.A.3): 12 bits of ones, then one, then two bits of zeros. */
const isAdtsFrame = (view: DataView): boolean =>
  view.byteLength >= 7 && (view.getUint16(0) & 0xfff6) === 0xfff0;

/** mediabunny 1.61 would collect frames of no length without end. */
function checkAdts(bytes: Bytes): void {
  for (let offset = 0; ;) {
    const head = bytes.read(offset, 7);
    if (!isAdtsFrame(head)) return;
    const length = (head.getUint32(2) >> 5) & 0x1fff;
    if (length < 7) throw new MediaError(`is broken: its frame at byte ${offset} has ${length} bytes`);
    offset += length;
  }
}

/** Types of boxes are four letters or digits, or one of QuickTime's with a space or a sign at its end. */
function isBoxType(view: DataView, offset: number): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9 \-_]{3}$/.test(typeAt(view, offset));
}

function typeAt(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}
