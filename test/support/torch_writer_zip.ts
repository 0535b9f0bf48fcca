import { crc32, deflateRawSync } from 'node:zlib';

/** A file of a zip; the claims let it lie about itself. */
export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** What the directory says instead of the truth. */
  readonly claim?: {
    readonly size?: number;
    readonly compressedSize?: number;
    readonly offset?: number;
    readonly method?: number;
    readonly flags?: number;
    readonly localName?: string;
  };
}

export interface ZipOptions {
  /** Sizes and offsets in zip64 records, as for files above 4 GB. */
  readonly zip64?: boolean;
  /** Sizes after the data instead of before it (flag 8). */
  readonly descriptors?: boolean;
  /** Where data of stored entries begins is a multiple of this, by an extra field, as PyTorch does with 64. */
  readonly alignment?: number;
  readonly comment?: string;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Little-endian fields of [bytes, value]. */
function fields(...values: readonly (readonly [1 | 2 | 4 | 8, number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of values) {
    if (size === 8) view.setBigUint64(at, BigInt(value), true);
    else if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

const MASK = 0xffffffff;

/** The pieces of a zip with these files; stored data is not copied. */
export function writeZip(entries: Iterable<ZipEntry>, options: ZipOptions = {}): Uint8Array[] {
  const { zip64 = false, descriptors = false, alignment = 1, comment = '' } = options;
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  let count = 0;
  const add = (...added: readonly Uint8Array[]): void => {
    for (const piece of added) at += piece.length;
    pieces.push(...added);
  };
  for (const { name, data, deflate = false, claim = {} } of entries) {
    const packed = deflate ? deflateRawSync(data) : data;
    const crc = crc32(data);
    const method = claim.method ?? (deflate ? 8 : 0);
    const flags = claim.flags ?? (descriptors ? 0x0808 : 0x0800);
    const compressedSize = claim.compressedSize ?? packed.length;
    const size = claim.size ?? data.length;
    const offset = claim.offset ?? at;
    const localName = text(claim.localName ?? name);
    const sizes = fields([8, size], [8, compressedSize]);
    const localExtra = zip64 && !descriptors ? [fields([2, 1], [2, 16]), sizes] : [];
    let extraSize = localExtra.reduce((sum, piece) => sum + piece.length, 0);
    const start = at + 30 + localName.length + extraSize;
    if (!deflate && alignment > 1 && start % alignment !== 0) {
      const padding = (2 * alignment - ((start + 4) % alignment)) % alignment;
      localExtra.push(fields([2, 0x4246], [2, padding]), new Uint8Array(padding).fill(0x5a));
      extraSize += 4 + padding;
    }
    const shown = (value: number): number => (descriptors ? 0 : zip64 ? MASK : value);
    add(
      fields([4, 0x04034b50], [2, zip64 ? 45 : 20], [2, flags], [2, method], [4, 0]),
      fields([4, descriptors ? 0 : crc], [4, shown(compressedSize)], [4, shown(size)]),
      fields([2, localName.length], [2, extraSize]),
      localName,
      ...localExtra,
      packed,
    );
    const wide = zip64 ? 8 : 4;
    if (descriptors) add(fields([4, 0x08074b50], [4, crc], [wide, packed.length], [wide, data.length]));
    const extra = zip64 ? [fields([2, 1], [2, 24]), sizes, fields([8, offset])] : [];
    directory.push(
      fields([4, 0x02014b50], [2, 45], [2, zip64 ? 45 : 20], [2, flags], [2, method], [4, 0], [4, crc]),
      fields([4, zip64 ? MASK : compressedSize], [4, zip64 ? MASK : size], [2, text(name).length]),
      fields([2, zip64 ? 28 : 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, zip64 ? MASK : offset]),
      text(name),
      ...extra,
    );
    count++;
  }
  const begin = at;
  add(...directory);
  const bytes = at - begin;
  if (zip64) {
    const end = at;
    add(
      fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count]),
      fields([8, bytes], [8, begin], [4, 0x07064b50], [4, 0], [8, end], [4, 1]),
    );
  }
  const shownCount = zip64 ? 0xffff : count;
  add(
    fields([4, 0x06054b50], [2, 0], [2, 0], [2, shownCount], [2, shownCount]),
    fields([4, zip64 ? MASK : bytes], [4, zip64 ? MASK : begin], [2, text(comment).length]),
    text(comment),
  );
  return pieces;
}
