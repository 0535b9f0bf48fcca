// Where the elements of a data set lie, and contiguous ones, which lie in one piece.
import { hdf5Error } from './cursor.ts';
import type { Hdf5File } from './file.ts';

/** Elements in some place of the file. */
export interface StoredData {
  /** Bytes of the file that hold them, as they are packed. */
  readonly stored: number;
  /** Bytes that are made of them. */
  readonly unpacked: number;
  /** Row-major, in memory of their own. */
  readBytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** A data set without elements. */
export const NOTHING_STORED: StoredData = {
  stored: 0,
  unpacked: 0,
  readBytes: () => Promise.resolve(new Uint8Array(0)),
};

/** Elements in one piece at `address`. Throws an Error of one sentence, which calls the data set `what`. */
export function contiguousData(
  file: Hdf5File,
  address: number | undefined,
  bytes: number,
  what: string,
): StoredData {
  if (bytes === 0) return NOTHING_STORED;
  if (address === undefined) throw hdf5Error(`${what} was never written`);
  const begin = file.base + address;
  if (begin + bytes > file.source.size) {
    throw hdf5Error(
      `${what} would end at byte ${begin + bytes}, the file at ${file.source.size}: it is cut short or damaged`,
    );
  }
  return { stored: bytes, unpacked: bytes, readBytes: () => file.source.read(begin, begin + bytes) };
}
