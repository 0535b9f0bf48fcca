// Heaps, which hold names, texts of variable length, and links and attributes of large groups.
import { bytesFor } from './btree.ts';
import { Cursor, hdf5Error } from './cursor.ts';
import type { Hdf5File } from './file.ts';

/** The bytes of a group's local heap, which holds the names of its links. */
export async function readLocalHeap(file: Hdf5File, address: number): Promise<Uint8Array> {
  const head = await file.structure(
    address,
    8 + 2 * file.widths.length + file.widths.offset,
    'a heap of names',
  );
  head.signature('HEAP');
  head.version(0);
  head.skip(3);
  const size = head.length(file.widths);
  head.skip(file.widths.length);
  return (await file.structure(head.placed(file.widths), size, 'a heap of names')).bytes;
}

/** The objects of a collection of the global heap, by their index. */
export async function readGlobalHeap(
  file: Hdf5File,
  address: number,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const what = 'a heap of texts';
  const head = await file.structure(address, 8 + file.widths.length, what);
  head.signature('GCOL');
  head.version(1);
  head.skip(3);
  const size = head.length(file.widths);
  const fields = await file.structure(address, size, what);
  fields.skip(8 + file.widths.length);
  const objects = new Map<number, Uint8Array>();
  while (fields.left >= 8 + file.widths.length) {
    const index = fields.u16();
    // Index 0 marks free space.
    if (index === 0) break;
    fields.skip(6);
    const bytes = fields.length(file.widths);
    objects.set(index, fields.take(bytes));
    fields.skip(Math.min(fields.left, (8 - (bytes % 8)) % 8));
  }
  return objects;
}

/** Looks up an object of a fractal heap by its identifier. */
type FractalHeap = (identifier: Cursor) => Promise<Uint8Array>;

/** Opens a fractal heap, which holds the links or attributes of a large group. Throws an Error of one sentence if it is damaged. */
export async function openFractalHeap(file: Hdf5File, address: number): Promise<FractalHeap> {
  const what = 'a heap of links';
  const { widths } = file;
  const head = await file.structure(address, 22 + 12 * widths.length + 3 * widths.offset, what);
  head.signature('FRHP');
  head.version(0);
  head.skip(2);
  const filterBytes = head.u16();
  head.skip(1);
  const largest = head.u32();
  head.skip(10 * widths.length + 2 * widths.offset);
  const columns = head.u16();
  const startBytes = head.length(widths);
  const directBytes = head.length(widths);
  const offsetBytes = Math.ceil(head.u16() / 8);
  head.skip(2);
  const root = head.address(widths);
  const rootRows = head.u16();
  if (filterBytes !== 0) throw hdf5Error(`${what} is compressed, which is not read`);
  if (columns < 1 || startBytes < 1 || directBytes < startBytes || offsetBytes < 1 || offsetBytes > 8) {
    throw hdf5Error(`${what} has blocks of ${startBytes} to ${directBytes} bytes in ${columns} columns`);
  }
  const lengthBytes = Math.min(Math.floor((Math.log2(directBytes) + 7) / 8), bytesFor(largest));
  const directRows = Math.log2(directBytes / startBytes) + 2;
  const blockHead = 5 + widths.offset + offsetBytes;

  /** The direct block with this byte of the heap, and the position in the heap where the block begins. */
  const blockAt = async (position: number): Promise<{ address: number; start: number }> => {
    if (root === undefined) throw hdf5Error(`${what} is empty`);
    let block = { address: root, start: 0 };
    for (let rows = rootRows; rows > 0;) {
      const inside = (position - block.start) / (columns * startBytes);
      const row = inside < 1 ? 0 : Math.floor(Math.log2(inside)) + 1;
      if (row >= rows) throw hdf5Error(`${what} has nothing at ${position}`);
      const bytes = startBytes * 2 ** Math.max(row - 1, 0);
      const rowStart = row === 0 ? 0 : columns * bytes;
      const column = Math.floor((position - block.start - rowStart) / bytes);
      (await file.structure(block.address, 4, what)).signature('FHIB');
      const pointer = block.address + blockHead + (row * columns + column) * widths.offset;
      const child = (await file.structure(pointer, widths.offset, what)).placed(widths);
      block = { address: child, start: block.start + rowStart + column * bytes };
      rows = row < directRows ? 0 : Math.log2(bytes / (startBytes * columns)) + 1;
    }
    return block;
  };

  return async (identifier) => {
    const kind = identifier.u8();
    if ((kind & 0xf0) !== 0)
      throw hdf5Error(`${what} keeps an object of kind ${kind >> 4} by itself, which is not read`);
    const position = identifier.unsigned(offsetBytes);
    const bytes = identifier.unsigned(lengthBytes);
    const block = await blockAt(position);
    (await file.structure(block.address, 4, what)).signature('FHDB');
    return (await file.structure(block.address + position - block.start, bytes, what)).bytes;
  };
}
