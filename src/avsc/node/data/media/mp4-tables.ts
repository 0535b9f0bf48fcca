// Bounds on the tables of an mp4 file. Some entries stand for many samples, so that a few bytes can ask for billions: readers
// would loop over them for hours. ISO/IEC 14496-12, section 8.

import { MediaError } from './errors.ts';

/** Boxes on the way to the tables of samples. */
const ON_THE_WAY = ['trak', 'mdia', 'minf', 'stbl', 'traf'];

/** Throws a MediaError if the tables in a moov box's body list more samples than a file of `bytes` bytes holds. */
export function checkSampleTables(moov: DataView, bytes: number): void {
  for (const tables of tracksOf(moov)) {
    const samples = sampleCount(tables, bytes);
    // Careless writers are off by a few.
    const most = 2 * samples + 16;
    for (const [table, listed] of [
      ['stts', sumOf(tables.get('stts'), 8, 0)],
      ['ctts', sumOf(tables.get('ctts'), 8, 0)],
      ['stsc', mostOf(tables.get('stsc'), 12, 4)],
    ] as const) {
      if (listed > most)
        throw new MediaError(
          `is broken: its table ${table} lists ${listed} samples, its table of sizes ${samples}`,
        );
    }
  }
}

/** Throws a MediaError if the runs in a moof box's body list more samples than a file of `bytes` bytes holds. */
export function checkFragment(moof: DataView, bytes: number): void {
  for (const { type, body } of boxesIn(moof)) {
    if (type === 'traf') checkFragment(body, bytes);
    if (type === 'trun' && body.byteLength >= 8 && body.getUint32(4) > bytes)
      throw new MediaError(
        `is broken: a fragment lists ${body.getUint32(4)} samples, the file has ${bytes} bytes`,
      );
  }
}

function sampleCount(tables: ReadonlyMap<string, DataView>, bytes: number): number {
  const sizes = tables.get('stsz');
  const compact = tables.get('stz2');
  if (sizes && sizes.byteLength >= 12) {
    const [each, count] = [sizes.getUint32(4), sizes.getUint32(8)];
    const room = each === 0 ? (sizes.byteLength - 12) / 4 : bytes / each;
    if (count <= room) return count;
    throw new MediaError(
      `is broken: its table of sizes says ${count} samples, there is room for ${Math.floor(room)}`,
    );
  }
  if (compact && compact.byteLength >= 12) {
    const count = compact.getUint32(8);
    if (count <= 2 * compact.byteLength) return count;
    throw new MediaError(
      `is broken: its table of sizes says ${count} samples in ${compact.byteLength} bytes`,
    );
  }
  // A fragmented file has its tables elsewhere.
  return 0;
}

/** Sum of a 32-bit field over the entries of a table. */
function sumOf(table: DataView | undefined, stride: number, field: number): number {
  let sum = 0;
  for (const value of fieldsOf(table, stride, field)) sum += value;
  return sum;
}

function mostOf(table: DataView | undefined, stride: number, field: number): number {
  let most = 0;
  for (const value of fieldsOf(table, stride, field)) most = Math.max(most, value);
  return most;
}

/** Version and flags, the number of entries, the entries. */
function* fieldsOf(table: DataView | undefined, stride: number, field: number): Generator<number> {
  if (!table || table.byteLength < 8) return;
  const entries = Math.min(table.getUint32(4), Math.floor((table.byteLength - 8) / stride));
  for (let i = 0; i < entries; i++) yield table.getUint32(8 + i * stride + field);
}

/** The tables of each track by their types. */
function tracksOf(moov: DataView): ReadonlyMap<string, DataView>[] {
  const tracks: Map<string, DataView>[] = [];
  const visit = (parent: DataView, tables: Map<string, DataView>): void => {
    for (const { type, body } of boxesIn(parent)) {
      if (type === 'trak') {
        const own = new Map<string, DataView>();
        tracks.push(own);
        visit(body, own);
      } else if (ON_THE_WAY.includes(type)) visit(body, tables);
      else tables.set(type, body);
    }
  };
  visit(moov, new Map());
  return tracks;
}

function* boxesIn(parent: DataView): Generator<{ readonly type: string; readonly body: DataView }> {
  for (let offset = 0; offset + 8 <= parent.byteLength;) {
    const size = parent.getUint32(offset);
    if (size < 8) return;
    const end = Math.min(offset + size, parent.byteLength);
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => parent.getUint8(offset + i)));
    yield { type, body: new DataView(parent.buffer, parent.byteOffset + offset + 8, end - offset - 8) };
    offset += size;
  }
}
