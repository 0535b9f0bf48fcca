// Data sets: type, shape and storage of their elements.
import type { Shape } from '../../../tensor/graph/shape.ts';
import { swapBytes, type FileDType } from '../elements.ts';
import { hdf5Error, type Cursor } from './cursor.ts';
import { chunkedData } from './chunks.ts';
import type { Hdf5File } from './file.ts';
import { findMessage, MESSAGE, readMessages } from './header.ts';
import { parseFilters, type Filter } from './filters.ts';
import { contiguousData, type StoredData } from './stored.ts';
import { parseSpace, parseType } from './type.ts';

/** A data set whose elements are read on demand and converted to little-endian. */
export interface Dataset extends StoredData {
  readonly dtype: FileDType;
  readonly shape: Shape;
}

/** The data set at `address`. Throws an Error of one sentence, which names it as `what`, if it is damaged or not supported. */
export async function openDataset(file: Hdf5File, address: number, what: string): Promise<Dataset> {
  const messages = await readMessages(file, address);
  const [typeFields, spaceFields, layout] = [
    findMessage(messages, MESSAGE.datatype, `the type of ${what}`),
    findMessage(messages, MESSAGE.dataspace, `the shape of ${what}`),
    findMessage(messages, MESSAGE.layout, `the layout of ${what}`),
  ];
  if (typeFields === undefined || spaceFields === undefined || layout === undefined) {
    throw hdf5Error(`${what} is no data set`);
  }
  if (messages.some(({ type }) => type === MESSAGE.externalFiles)) {
    throw hdf5Error(`${what} keeps its elements in other files, which are not read`);
  }
  const type = parseType(typeFields);
  if (type.kind !== 'number') {
    throw hdf5Error(
      `${what} holds ${type.kind === 'other' ? type.what : 'texts'}, which are not read as a tensor`,
    );
  }
  const shape = parseSpace(spaceFields, file.widths);
  const bytes = shape.reduce((product, n) => product * n, type.size);
  if (!Number.isSafeInteger(bytes)) throw hdf5Error(`${what} would have ${bytes} bytes`);
  const filters = parseFilters(findMessage(messages, MESSAGE.filters, `the filters of ${what}`), what);
  const data = await openLayout(file, layout, { shape, bytes, elementBytes: type.size, filters, what });
  const readBytes = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const elements = await data.readBytes();
    if (type.bigEndian) swapBytes(elements, type.size);
    return elements;
  };
  return { ...data, dtype: type.dtype, shape, readBytes };
}

interface Described {
  readonly shape: Shape;
  /** Size of all elements. */
  readonly bytes: number;
  readonly elementBytes: number;
  readonly filters: readonly Filter[];
  readonly what: string;
}

async function openLayout(file: Hdf5File, fields: Cursor, described: Described): Promise<StoredData> {
  const { widths } = file;
  const { what, bytes } = described;
  const version = fields.version(1, 2, 3, 4);
  let rank = version < 3 ? fields.u8() : 0;
  const kind = fields.u8();
  if (version < 3) fields.skip(5);
  const old = version < 3;
  switch (kind) {
    case 0: {
      if (old) fields.skip(4 * rank);
      const data = fields.take(old ? fields.u32() : fields.u16());
      if (data.length < bytes) throw hdf5Error(`${what} needs ${bytes} bytes, ${data.length} are stored`);
      return {
        stored: bytes,
        unpacked: bytes,
        readBytes: () => Promise.resolve(new Uint8Array(data.subarray(0, bytes))),
      };
    }
    case 1:
      return contiguousData(file, fields.address(widths), bytes, what);
    case 2: {
      if (version === 4) {
        throw hdf5Error(
          `${what} is chunked as HDF5 1.10 and later may do (libver='latest'): write it with libver='earliest'`,
        );
      }
      if (!old) rank = fields.u8();
      const tree = fields.address(widths);
      // The last entry is the element size.
      const chunk = Array.from({ length: rank }, () => fields.u32()).slice(0, old ? rank : -1);
      return chunkedData(file, { ...described, chunk, tree }, what);
    }
    default:
      throw hdf5Error(
        `${what} has layout ${kind} (3 is put together from other data sets), which is not read`,
      );
  }
}
