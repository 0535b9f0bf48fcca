// The chunks of WAV: RIFF, RF64 (EBU 3306), and Sony's Wave64 with names of 16 and sizes of 8 bytes.

import { fieldsAt, isTag, tag, type Field, type Part, type Structure } from './structure.ts';

const FORMAT = [
  ['format', 2],
  ['channels', 2],
  ['rate', 4],
  ['bytesPerSecond', 4],
  ['blockAlign', 2],
  ['bits', 2],
  ['extra', 2],
  ['validBits', 2],
  ['mask', 4],
  ['subFormat', 2],
] as const;
const SIZES = [
  ['riffSize', 8],
  ['dataSize', 8],
  ['samples', 8],
  ['tableLength', 4],
] as const;

/** All chunks of a file and the numbers in them. */
export function describeWave(bytes: Uint8Array): Structure {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWave64 = isTag(bytes, 0, 'riff');
  const header = isWave64 ? 24 : 8;
  const parts: Part[] = [];
  const fields: Field[] = [];
  const sizeAt = (name: string, at: number): Field => ({
    name: `${name}.size`,
    at: at + (isWave64 ? 16 : 4),
    width: isWave64 ? 8 : 4,
    kind: 'little',
  });
  const whole: Part = {
    name: 'RIFF',
    at: 0,
    body: header + (isWave64 ? 16 : 4),
    end: bytes.length,
    size: sizeAt('RIFF', 0),
  };
  fields.push(
    sizeAt('RIFF', 0),
    { name: 'RIFF.id', at: 0, width: 4, kind: 'little' },
    { name: 'WAVE.id', at: header, width: 4, kind: 'little' },
  );
  for (let at = whole.body; at + header <= bytes.length;) {
    const name = tag(bytes, at);
    const size = sizeAt(name, at);
    const claimed = view.getUint32(size.at, true);
    const body = at + header;
    // The size of Wave64 counts the header; that of RF64's data is in the ds64 chunk.
    const end = Math.min(isWave64 ? at + claimed : body + claimed, bytes.length);
    parts.push({ name, at, body, end, size, parent: whole });
    fields.push(size, { name: `${name}.id`, at, width: 4, kind: 'little' });
    const members = name === 'fmt ' ? FORMAT : name === 'ds64' ? SIZES : [];
    fields.push(...fieldsAt(name, body, 'little', members).filter((field) => field.at + field.width <= end));
    if (end <= at) break;
    at = isWave64 ? Math.ceil(end / 8) * 8 : end + ((end - body) % 2);
  }
  return { fields, parts };
}
