// The boxes of MP4 (ISO 14496-12).

import { fieldsAt, tag, thinned, type Field, type Part, type Structure } from './structure.ts';

const CONTAINERS = new Set([
  'moov',
  'trak',
  'mdia',
  'minf',
  'dinf',
  'stbl',
  'edts',
  'udta',
  'mvex',
  'moof',
  'traf',
  'mfra',
]);

type Members = readonly (readonly [name: string, width: number])[];

const matrix: Members = Array.from({ length: 9 }, (_, i) => [`matrix[${i}]`, 4] as const);

/** What follows version and flags in boxes of version 0; of tables, the first entries. */
const MEMBERS: Readonly<Record<string, Members>> = {
  mvhd: [
    ['created', 4],
    ['modified', 4],
    ['timescale', 4],
    ['duration', 4],
    ['rate', 4],
    ['volume', 2],
    ['reserved', 2],
    ['reserved', 8],
    ...matrix,
    ['reserved', 8],
    ['reserved', 8],
    ['reserved', 8],
    ['nextTrack', 4],
  ],
  tkhd: [
    ['created', 4],
    ['modified', 4],
    ['trackId', 4],
    ['reserved', 4],
    ['duration', 4],
    ['reserved', 8],
    ['layer', 2],
    ['group', 2],
    ['volume', 2],
    ['reserved', 2],
    ...matrix,
    ['width', 4],
    ['height', 4],
  ],
  mdhd: [
    ['created', 4],
    ['modified', 4],
    ['timescale', 4],
    ['duration', 4],
    ['language', 2],
  ],
  hdlr: [
    ['reserved', 4],
    ['type', 4],
  ],
  elst: [
    ['count', 4],
    ['duration[0]', 4],
    ['mediaTime[0]', 4],
    ['rate[0]', 4],
    ['duration[1]', 4],
    ['mediaTime[1]', 4],
  ],
  stts: [
    ['count', 4],
    ['samples[0]', 4],
    ['delta[0]', 4],
    ['samples[1]', 4],
    ['delta[1]', 4],
  ],
  ctts: [
    ['count', 4],
    ['samples[0]', 4],
    ['offset[0]', 4],
    ['samples[1]', 4],
    ['offset[1]', 4],
  ],
  stsc: [
    ['count', 4],
    ['firstChunk[0]', 4],
    ['samplesPerChunk[0]', 4],
    ['description[0]', 4],
    ['firstChunk[1]', 4],
    ['samplesPerChunk[1]', 4],
  ],
  stsz: [
    ['size', 4],
    ['count', 4],
    ['size[0]', 4],
    ['size[1]', 4],
    ['size[2]', 4],
  ],
  stco: [
    ['count', 4],
    ['offset[0]', 4],
    ['offset[1]', 4],
  ],
  co64: [
    ['count', 4],
    ['offset[0]', 8],
    ['offset[1]', 8],
  ],
  stss: [
    ['count', 4],
    ['sample[0]', 4],
    ['sample[1]', 4],
  ],
  sgpd: [
    ['type', 4],
    ['length', 4],
    ['count', 4],
    ['value[0]', 2],
  ],
  sbgp: [
    ['type', 4],
    ['count', 4],
    ['samples[0]', 4],
    ['group[0]', 4],
  ],
  dref: [
    ['count', 4],
    ['size[0]', 4],
    ['type[0]', 4],
  ],
  trex: [
    ['trackId', 4],
    ['description', 4],
    ['duration', 4],
    ['size', 4],
    ['flags', 4],
  ],
  mehd: [['duration', 4]],
  mfhd: [['sequence', 4]],
  tfhd: [
    ['trackId', 4],
    ['first', 4],
    ['second', 4],
    ['third', 4],
  ],
  tfdt: [
    ['time', 4],
    ['low', 4],
  ],
  trun: [
    ['count', 4],
    ['dataOffset', 4],
    ['first', 4],
    ['second', 4],
    ['third', 4],
    ['fourth', 4],
  ],
  sidx: [
    ['trackId', 4],
    ['timescale', 4],
    ['earliest', 4],
    ['firstOffset', 4],
    ['reserved', 2],
    ['count', 2],
    ['size[0]', 4],
    ['duration[0]', 4],
  ],
  tfra: [
    ['trackId', 4],
    ['lengths', 4],
    ['count', 4],
    ['time[0]', 4],
    ['offset[0]', 4],
  ],
  mfro: [['size', 4]],
};

const VIDEO: Members = [
  ['size', 4],
  ['format', 4],
  ['reserved', 6],
  ['reference', 2],
  ['predefined', 8],
  ['predefined', 8],
  ['width', 2],
  ['height', 2],
  ['resolution', 8],
  ['reserved', 4],
  ['frames', 2],
];
const SOUND: Members = [
  ['size', 4],
  ['format', 4],
  ['reserved', 6],
  ['reference', 2],
  ['version', 2],
  ['revision', 2],
  ['vendor', 4],
  ['channels', 2],
  ['bits', 2],
  ['compression', 2],
  ['packet', 2],
  ['rate', 4],
];
/** Bytes of a sample entry before the boxes within. */
const ENTRY_BYTES = { video: 86, sound: 36 } as const;

/** All boxes of a file and the numbers in them. */
export function describeMp4(bytes: Uint8Array): Structure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Part[] = [];
  const fields: Field[] = [];

  const walk = (from: number, to: number, path: string, parent: Part | undefined): void => {
    for (let at = from; at + 8 <= to;) {
      const size = view.getUint32(at);
      const type = tag(bytes, at + 4);
      const end = at + size;
      if (size < 8 || end > to) return;
      const name = `${path}${type}`;
      const sizeField: Field = { name: `${name}.boxSize`, at, width: 4, kind: 'big' };
      const part: Part = { name, at, body: at + 8, end, size: sizeField, ...(parent ? { parent } : {}) };
      parts.push(part);
      fields.push(sizeField, { name: `${name}.boxType`, at: at + 4, width: 4, kind: 'big' });
      if (CONTAINERS.has(type)) walk(part.body, end, `${name}/`, part);
      else if (type === 'stsd') describeEntries(part);
      else if (type !== 'meta' && type !== 'mdat' && type !== 'free') describeMembers(part, type);
      at = end;
    }
  };
  const keep = (found: readonly Field[], end: number): void => {
    for (const field of found)
      if (field.at + field.width <= end && !/reserved|created|modified|predefined/.test(field.name))
        fields.push(field);
  };
  const describeMembers = ({ name, body, end }: Part, type: string): void => {
    const members = MEMBERS[type];
    if (members) keep(fieldsAt(name, body, 'big', [['version', 1], ['flags', 3], ...members]), end);
    // Codec data: every byte may matter.
    else
      for (let at = body; at < Math.min(end, body + 32); at++)
        fields.push({ name: `${name}[${at - body}]`, at, width: 1, kind: 'big' });
  };
  const describeEntries = (part: Part): void => {
    const { name, body, end } = part;
    keep(
      fieldsAt(name, body, 'big', [
        ['version', 1],
        ['flags', 3],
        ['count', 4],
      ]),
      end,
    );
    const isVideo = /^(avc|hvc|hev|vp0|av01|mp4v)/.test(tag(bytes, body + 12));
    const entry = `${name}/${tag(bytes, body + 12)}`;
    keep(fieldsAt(entry, body + 8, 'big', isVideo ? VIDEO : SOUND), end);
    walk(body + 8 + ENTRY_BYTES[isVideo ? 'video' : 'sound'], end, `${entry}/`, part);
  };
  walk(0, bytes.length, '', undefined);
  return { fields: thinned(fields), parts };
}
