// The elements of Matroska and WebM (RFC 9559), which are EBML (RFC 8794).

import { thinned, type Field, type Part, type Structure } from './structure.ts';

const MASTERS: Readonly<Record<number, string>> = {
  0x1a45dfa3: 'EBML',
  0x18538067: 'Segment',
  0x114d9b74: 'SeekHead',
  0x4dbb: 'Seek',
  0x1549a966: 'Info',
  0x1654ae6b: 'Tracks',
  0xae: 'TrackEntry',
  0xe0: 'Video',
  0xe1: 'Audio',
  0x55b0: 'Colour',
  0x1f43b675: 'Cluster',
  0xa0: 'BlockGroup',
  0x1c53bb6b: 'Cues',
  0xbb: 'CuePoint',
  0xb7: 'CueTrackPositions',
  0x1254c367: 'Tags',
  0x7373: 'Tag',
  0x63c0: 'Targets',
  0x67c8: 'SimpleTag',
  0x6d80: 'ContentEncodings',
  0x6240: 'ContentEncoding',
};
const BLOCKS = new Set([0xa3, 0xa1]);
const CODEC_PRIVATE = 0x63a2;

/** All elements of a file and the numbers in them. */
export function describeEbml(bytes: Uint8Array): Structure {
  const parts: Part[] = [];
  const fields: Field[] = [];
  const big = (name: string, at: number, width: number): Field => ({ name, at, width, kind: 'big' });

  const walk = (from: number, to: number, path: string, parent: Part | undefined): void => {
    for (let at = from; at < to;) {
      const idWidth = vintWidth(bytes[at]);
      const sizeWidth = vintWidth(bytes[at + idWidth]);
      if (idWidth > 4 || sizeWidth > 8) return;
      const id = number(bytes, at, idWidth);
      const body = at + idWidth + sizeWidth;
      const content = number(bytes, at + idWidth, sizeWidth) - 2 ** (7 * sizeWidth);
      const isUnknown = content === 2 ** (7 * sizeWidth) - 1;
      const end = isUnknown ? to : body + content;
      if (end > to) return;
      const name = `${path}${MASTERS[id] ?? id.toString(16)}`;
      const size: Field = { name: `${name}.size`, at: at + idWidth, width: sizeWidth, kind: 'vint' };
      const part: Part = { name, at, body, end, size, ...(parent ? { parent } : {}) };
      parts.push(part);
      fields.push(size, big(`${name}.id`, at, idWidth));
      if (id in MASTERS) walk(body, end, `${name}/`, part);
      else if (BLOCKS.has(id))
        fields.push(
          big(`${name}.track`, body, 1),
          big(`${name}.time`, body + 1, 2),
          big(`${name}.flags`, body + 3, 1),
          big(`${name}.lacing`, body + 4, 1),
        );
      else if (id === CODEC_PRIVATE)
        for (let i = 0; i < Math.min(content, 32); i++) fields.push(big(`${name}[${i}]`, body + i, 1));
      else if (content > 0 && content <= 8) fields.push(big(`${name}.value`, body, content));
      at = end;
    }
  };
  walk(0, bytes.length, '', undefined);
  return { fields: thinned(fields), parts };
}

/** Bytes of an EBML number, from its first; 9 where that is none. */
function vintWidth(first: number | undefined): number {
  return first === undefined ? 9 : Math.clz32(first) - 23;
}

function number(bytes: Uint8Array, at: number, width: number): number {
  return bytes.subarray(at, at + width).reduce((value, byte) => value * 256 + byte, 0);
}
