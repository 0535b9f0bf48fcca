/*
 * The subset of HDF5 (HDF5 File Format Specification 3.0, The HDF Group) that h5py and Keras write: superblocks 0 to 3, both
 * kinds of object headers and groups, contiguous, compact and chunked data, deflate and shuffle. This reader exists because
 * libhdf5 is not safe for untrusted files: compiled to WebAssembly (h5wasm 0.10.3), it ran for over 3 s on 24 of 6,000 mutations
 * of a 17 kB Keras file, read outside its memory on 6, and grew to 2.1 GB. This reader bounds work and memory.
 */
import { Cursor, hdf5Error, type Widths } from './cursor.ts';
import { hdf5Start } from '../identify.ts';
import type { ByteSource } from '../source.ts';

/** Structure is read in cached pages, because it is scattered in pieces of some ten bytes. */
const PAGE_BYTES = 16 * 1024;
const PAGES_KEPT = 64;

/** A read of structure costs its bytes plus this. The allowed cost takes some 2 s and is enough for thousands of weights. */
const COST_PER_READ = 256;
const COST_ALLOWED = 128 * 1024 * 1024;

/** An open file. */
export interface Hdf5File {
  readonly source: ByteSource;
  readonly widths: Widths;
  /** Byte of the file at address 0. */
  readonly base: number;
  /** Address of the root group's object header. */
  readonly root: number;
  /**
   * A cursor over a copy of bytes of the file's structure. Throws an Error of one sentence if they do not lie within the file,
   * or if the allowed cost is spent, as it is by structure that refers to itself.
   */
  structure(address: number, length: number, what: string): Promise<Cursor>;
}

/** Opens a file. Throws an Error of one sentence if it is not HDF5 or is truncated. */
export async function openHdf5(source: ByteSource): Promise<Hdf5File> {
  const base = await hdf5Start(source);
  if (base === undefined) throw hdf5Error('it has no HDF5 signature');
  const head = new Cursor(await source.read(base, Math.min(base + 128, source.size)), 'the superblock');
  head.skip(8);
  const version = head.version(0, 1, 2, 3);
  if (version < 2) head.skip(4);
  const widths: Widths = { offset: width(head.u8()), length: width(head.u8()) };
  // Skip flags and, in old files, the sizes of tree nodes, which the nodes themselves contain.
  head.skip(version >= 2 ? 1 : version === 1 ? 13 : 9);
  head.skip(2 * widths.offset);
  const end = head.placed(widths);
  if (end > source.size) throw hdf5Error(`it should have ${end} bytes but is cut short at ${source.size}`);
  if (version < 2) head.skip(2 * widths.offset);
  const root = head.placed(widths);
  return { source, widths, base, root, structure: structureReader(source, base) };
}

function width(bytes: number): number {
  if (bytes !== 2 && bytes !== 4 && bytes !== 8) throw hdf5Error(`its addresses have ${bytes} bytes`);
  return bytes;
}

function structureReader(source: ByteSource, base: number): Hdf5File['structure'] {
  const pages = new Map<number, Uint8Array>();
  const page = async (index: number): Promise<Uint8Array> => {
    const begin = index * PAGE_BYTES;
    const bytes = pages.get(index) ?? (await source.read(begin, Math.min(begin + PAGE_BYTES, source.size)));
    // Move the page to the end, so that the first page is the least recently used.
    pages.delete(index);
    pages.set(index, bytes);
    const oldest = pages.keys().next().value;
    if (pages.size > PAGES_KEPT && oldest !== undefined) pages.delete(oldest);
    return bytes;
  };
  let left = COST_ALLOWED;
  return async (address, length, what) => {
    const begin = base + address;
    const end = begin + length;
    if (length < 0 || end > source.size) {
      throw hdf5Error(
        `${what} would lie at bytes ${begin} to ${end} of ${source.size}: cut short or damaged`,
      );
    }
    left -= length + COST_PER_READ;
    if (left < 0)
      throw hdf5Error('its structure is far larger than that of weights, or goes round in circles');
    const bytes = new Uint8Array(length);
    for (let at = begin; at < end;) {
      const index = Math.floor(at / PAGE_BYTES);
      const part = (await page(index)).subarray(at - index * PAGE_BYTES).subarray(0, end - at);
      bytes.set(part, at - begin);
      at += part.length;
    }
    return new Cursor(bytes, what);
  };
}
