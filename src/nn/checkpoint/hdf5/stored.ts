// The stored elements of a data set, and the contiguous layout.
import { hdf5Error } from './cursor.ts';
import type { Hdf5File } from './file.ts';

/** Elements in the file. */
export interface StoredData {
  /** Size in the file in bytes. */
  readonly stored: number;
  /** Size after decompression in bytes. */
  readonly unpacked: number;
  /** The elements in row-major order, in a buffer of their own. */
  readBytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** A data set without elements. */
export const NOTHING_STORED: StoredData = {
  stored: 0,
  unpacked: 0,
  readBytes: () => Promise.resolve(new Uint8Array(0)),
};

/** Contiguous elements at `address`. Throws an Error of one sentence, which names the data set as `what`. */
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
