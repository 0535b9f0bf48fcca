/*
 * The directory of a zip (PKWARE's APPNOTE.TXT), with zip64. Names, overlaps and decompressed sizes are checked before any file
 * is read. Checksums are not verified, because newer PyTorch can leave them out.
 */
import { quote } from '../quote.ts';
import type { ByteSource } from '../source.ts';

/** A file in a zip. */
export interface ZipEntry {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly method: 'stored' | 'deflated';
  readonly size: number;
  readonly compressedSize: number;
  /** Position of its local header. */
  readonly offset: number;
  /** Position of the next file or of the directory. */
  readonly limit: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
export const LOCAL_BYTES = 30;

const MAX_DIRECTORY_BYTES = 32 * 2 ** 20;
const IN_ZIP64 = 0xffffffff;
const ENCRYPTED = 0x1;
/** Upper bound on the decompressed size of all files: this factor of the zip, plus a constant. Weights compress little. */
const UNFOLDING = 8;
const UNFOLDING_BYTES = 32 * 2 ** 20;

export const zipError = (why: string): Error => new Error(`zip: ${why}`);

interface Directory {
  readonly begin: number;
  readonly end: number;
  readonly count: number;
}

/** The files of a zip by name, without folders. Throws an Error of one sentence if the zip is damaged or hostile. */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const { begin, end, count } = await findDirectory(source);
  if (!(begin <= end && end <= source.size))
    throw zipError(
      `its directory would lie at bytes ${begin} to ${end} of ${source.size}: it is cut short or damaged`,
    );
  if (end - begin > MAX_DIRECTORY_BYTES)
    throw zipError(`its directory has ${end - begin} bytes, the limit is ${MAX_DIRECTORY_BYTES}`);
  if (count * CENTRAL_BYTES > end - begin)
    throw zipError(`its directory claims ${count} files in ${end - begin} bytes`);
  const bytes = await source.read(begin, end);
  const files: Omit<ZipEntry, 'limit'>[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const { file, next } = readCentral(bytes, at);
    files.push(file);
    at = next;
  }
  return checkedFiles(files, begin, source.size);
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailAt = Math.max(0, source.size - END_BYTES - MAX_COMMENT);
  const tail = await source.read(tailAt, source.size);
  const view = viewOf(tail);
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== END || at + END_BYTES + view.getUint16(at + 20, true) !== tail.length)
      continue;
    const wide = await findDirectory64(source, tailAt + at);
    if (wide !== undefined) return wide;
    const [disk, count] = [view.getUint32(at + 4, true), view.getUint16(at + 10, true)];
    if (disk !== 0 || view.getUint16(at + 8, true) !== count)
      throw zipError('it is split over several files');
    const [bytes, begin] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)];
    if (begin + bytes > tailAt + at)
      throw zipError(`its directory would end at byte ${begin + bytes}, behind its own end`);
    return { begin, end: begin + bytes, count };
  }
  throw zipError('it has no directory at its end: it is cut short, fetch it again');
}

/** The directory according to the zip64 records before the end; undefined if there are none. */
async function findDirectory64(source: ByteSource, endAt: number): Promise<Directory | undefined> {
  const locatorAt = endAt - LOCATOR_BYTES;
  if (locatorAt < 0) return undefined;
  const locator = viewOf(await source.read(locatorAt, endAt));
  if (locator.getUint32(0, true) !== LOCATOR) return undefined;
  const recordAt = readSize(locator, 8);
  if (recordAt + END64_BYTES > locatorAt) throw zipError(`its zip64 record would begin at byte ${recordAt}`);
  const record = viewOf(await source.read(recordAt, recordAt + END64_BYTES));
  if (record.getUint32(0, true) !== END64) throw zipError(`there is no zip64 record at byte ${recordAt}`);
  const [count, bytes, begin] = [readSize(record, 32), readSize(record, 40), readSize(record, 48)];
  const disks = record.getUint32(16, true) + record.getUint32(20, true);
  if (disks !== 0 || readSize(record, 24) !== count) throw zipError('it is split over several files');
  if (begin + bytes > recordAt)
    throw zipError(`its directory would end at byte ${begin + bytes}, behind its own end`);
  return { begin, end: begin + bytes, count };
}

function readCentral(bytes: Uint8Array, at: number): { file: Omit<ZipEntry, 'limit'>; next: number } {
  const view = viewOf(bytes);
  const damaged = (): Error => zipError('its directory is damaged');
  if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL) throw damaged();
  const [nameLength, extraLength] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
  const extraAt = at + CENTRAL_BYTES + nameLength;
  const next = extraAt + extraLength + view.getUint16(at + 32, true);
  if (next > bytes.length) throw damaged();
  const nameBytes = bytes.slice(at + CENTRAL_BYTES, extraAt);
  const name = decodeName(nameBytes);
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8)
    throw zipError(`${quote(name)} is compressed by method ${method}, known are stored (0) and deflate (8)`);
  if (view.getUint16(at + 8, true) & ENCRYPTED) throw zipError(`${quote(name)} is encrypted`);
  const wide = new Wide(viewOf(bytes.subarray(extraAt, extraAt + extraLength)), name);
  // The order matters, because the extra field holds only the sizes that do not fit.
  const size = wide.value(view.getUint32(at + 24, true));
  const compressedSize = wide.value(view.getUint32(at + 20, true));
  const offset = wide.value(view.getUint32(at + 42, true));
  if (method === 0 && size !== compressedSize)
    throw zipError(`${quote(name)} is stored as ${compressedSize} bytes and has ${size}`);
  return {
    file: { name, nameBytes, method: method === 0 ? 'stored' : 'deflated', size, compressedSize, offset },
    next,
  };
}

/** Sizes of the zip64 extra field, taken in sequence. */
class Wide {
  readonly #view: DataView;
  readonly #name: string;
  #at: number;
  #end: number;

  constructor(extra: DataView, name: string) {
    this.#view = extra;
    this.#name = name;
    [this.#at, this.#end] = [0, 0];
    for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
      if (extra.getUint16(at, true) !== 1) continue;
      [this.#at, this.#end] = [at + 4, Math.min(at + 4 + extra.getUint16(at + 2, true), extra.byteLength)];
      break;
    }
  }

  /** A size of the directory, or the next one of the extra field if the size does not fit there. */
  value(narrow: number): number {
    if (narrow !== IN_ZIP64) return narrow;
    if (this.#at + 8 > this.#end) throw zipError(`${quote(this.#name)} lacks its size in zip64`);
    const value = readSize(this.#view, this.#at);
    this.#at += 8;
    return value;
  }
}

function checkedFiles(
  listed: readonly Omit<ZipEntry, 'limit'>[],
  directoryAt: number,
  sourceSize: number,
): ReadonlyMap<string, ZipEntry> {
  const sorted = [...listed].sort((a, b) => a.offset - b.offset);
  const files = new Map<string, ZipEntry>();
  let unfolded = 0;
  for (const [i, file] of sorted.entries()) {
    const limit = sorted[i + 1]?.offset ?? directoryAt;
    // Only the minimum size of the local header is known here; `readZipEntry` checks the rest.
    if (file.offset + LOCAL_BYTES + file.nameBytes.length + file.compressedSize > limit) {
      const what = `${quote(file.name)} of ${file.compressedSize} bytes at byte ${file.offset}`;
      throw zipError(`${what} reaches beyond byte ${limit}, where something else begins`);
    }
    if (file.method === 'deflated') unfolded += file.size;
    if (files.has(file.name)) throw zipError(`it has ${quote(file.name)} twice`);
    files.set(file.name, { ...file, limit });
  }
  if (unfolded > UNFOLDING * sourceSize + UNFOLDING_BYTES)
    throw zipError(
      `its ${sourceSize} bytes would unfold to ${unfolded}, which weights do not: it is a zip bomb`,
    );
  for (const name of files.keys()) if (name.endsWith('/')) files.delete(name);
  return files;
}

/** Decodes a name. Throws if it leads out of the folder to unpack to, although nothing here unpacks files. */
function decodeName(bytes: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw zipError('a name in it is not UTF-8');
  }
  const parts = name.replace(/\/$/, '').split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..');
  if (bad || /[\\\0]|^[A-Za-z]:/.test(name))
    throw zipError(`it holds a file named ${quote(name)}, which leaves its folder`);
  return name;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function readSize(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw zipError(`a size in it is ${value}`);
  return Number(value);
}
