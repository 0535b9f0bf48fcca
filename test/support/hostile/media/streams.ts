// Formats that are a row of packets: MPEG transport streams, MP3, AAC in ADTS, Ogg and FLAC.

import { fieldsAt, isTag, thinned, type Field, type Part, type Structure } from './structure.ts';

const TS_PACKET = 188;
/** Bytes of a frame's or page's header that are described. */
const HEADER_BYTES = 10;

/** The packets of an MPEG transport stream, their headers and those of what begins in them. */
export function describeTs(bytes: Uint8Array): Structure {
  const parts: Part[] = [];
  const fields: Field[] = [];
  for (let at = 0; at + TS_PACKET <= bytes.length; at += TS_PACKET) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, TS_PACKET);
    const pid = view.getUint16(1) & 0x1fff;
    const begins = (view.getUint8(1) & 0x40) !== 0;
    const adaptation = (view.getUint8(3) & 0x20) === 0 ? 0 : view.getUint8(4) + 1;
    const name = `pid${pid}`;
    const body = at + 4 + adaptation;
    parts.push({ name, at, body: Math.min(body, at + TS_PACKET), end: at + TS_PACKET });
    fields.push(
      ...fieldsAt(name, at, 'big', [
        ['sync', 1],
        ['pid', 2],
        ['control', 1],
        ['adaptation', 1],
        ['adaptationFlags', 1],
      ]),
    );
    // Tables begin with a pointer and their size; others with a start code, stream, size, flags and times.
    for (let i = 0; begins && i < 32 && body + i < at + TS_PACKET; i++)
      fields.push({ name: `${name}.byte${i}`, at: body + i, width: 1, kind: 'big' });
  }
  return { fields: thinned(fields), parts };
}

/** Frames that begin with a mark, such as MP3's, ADTS's and Ogg's, and the metadata before them. */
function describeMarked(bytes: Uint8Array, isMark: (at: number) => boolean, head: number): Structure {
  const starts: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at++) if (isMark(at)) starts.push(at);
  const parts = starts.map((at, i): Part => {
    const end = starts[i + 1] ?? bytes.length;
    return { name: 'frame', at, body: Math.min(at + 4, end), end };
  });
  const fields: Field[] = [];
  for (let at = 0; at < Math.min(head, bytes.length); at++)
    fields.push({ name: `byte ${at}`, at, width: 1, kind: 'big' });
  for (let at = 0; at + 4 <= Math.min(head, bytes.length); at += 4)
    fields.push({ name: `word ${at}`, at, width: 4, kind: 'big' });
  for (const { at, end } of parts)
    for (let i = 0; i < HEADER_BYTES && at + i < end; i++)
      fields.push({ name: `frame.byte${i}`, at: at + i, width: 1, kind: 'big' });
  return { fields: thinned(fields), parts };
}

export function describeMp3(bytes: Uint8Array): Structure {
  return describeMarked(bytes, (at) => bytes[at] === 0xff && ((bytes[at + 1] ?? 0) & 0xe6) === 0xe2, 200);
}

export function describeAdts(bytes: Uint8Array): Structure {
  return describeMarked(bytes, (at) => bytes[at] === 0xff && ((bytes[at + 1] ?? 0) & 0xf6) === 0xf0, 16);
}

export function describeFlac(bytes: Uint8Array): Structure {
  return describeMarked(bytes, (at) => bytes[at] === 0xff && ((bytes[at + 1] ?? 0) & 0xfe) === 0xf8, 64);
}

/** Pages with their checksums, which `sealOgg` makes right again. */
export function describeOgg(bytes: Uint8Array): Structure {
  const { parts } = describeMarked(bytes, (at) => isTag(bytes, at, 'OggS'), 0);
  const fields = parts.flatMap(({ at, end }) => {
    const members = [
      ['mark', 4],
      ['version', 1],
      ['flags', 1],
      ['position', 8],
      ['serial', 4],
      ['sequence', 4],
      ['checksum', 4],
      ['segments', 1],
      ['segment[0]', 1],
    ] as const;
    const codec = Array.from({ length: 32 }, (_, i) => [`payload[${i}]`, 1] as const);
    const found = fieldsAt('page', at, 'little', members);
    const first = at + 27 + (bytes[at + 26] ?? 0);
    return [...found, ...fieldsAt('page', first, 'little', codec)].filter(
      (field) => field.at + field.width <= end,
    );
  });
  return { fields: thinned(fields), parts };
}

/** Sets the checksum of each page, because readers skip pages whose checksum is wrong. */
export function sealOgg(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 27 <= bytes.length; at++) {
    if (!isTag(bytes, at, 'OggS')) continue;
    const segments = bytes.subarray(at + 27, at + 27 + (bytes[at + 26] ?? 0));
    const end = Math.min(
      at + 27 + segments.length + segments.reduce((sum, size) => sum + size, 0),
      bytes.length,
    );
    view.setUint32(at + 22, 0, true);
    view.setUint32(at + 22, checksum(bytes.subarray(at, end)), true);
  }
  return bytes;
}

/** Ogg's CRC: polynomial 0x04c11db7, not reflected, from 0. */
function checksum(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
