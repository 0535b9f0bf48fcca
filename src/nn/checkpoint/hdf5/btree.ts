// B-trees, which index links, attributes and chunks.
import { hdf5Error, type Cursor } from './cursor.ts';
import type { Hdf5File } from './file.ts';

/** Upper bound on the depth of a tree; real files have far less. */
const DEEPEST = 32;

/** The error of a tree with more entries than the file has room for, which means that nodes are shared. */
const circular = (what: string): Error => hdf5Error(`${what} refers to the same nodes over and over`);

/**
 * The leaves of a version 1 tree: each key, parsed by `readKey`, and its address. Keys have `keyBytes` bytes. Throws an Error
 * of one sentence if the tree is damaged.
 */
export async function readTree<Key>(
  file: Hdf5File,
  address: number,
  nodeType: 0 | 1,
  keyBytes: number,
  readKey: (fields: Cursor) => Key,
): Promise<{ key: Key; address: number }[]> {
  const what = nodeType === 0 ? 'a tree of links' : 'a tree of chunks';
  const { offset } = file.widths;
  const leaves: { key: Key; address: number }[] = [];
  const nodes = [{ at: address, level: undefined as number | undefined }];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const head = await file.structure(node.at, 8, what);
    head.signature('TREE');
    head.version(nodeType);
    const level = head.u8();
    if (level > DEEPEST || (node.level !== undefined && level !== node.level)) {
      throw hdf5Error(`${what} has a node of level ${level} out of its place`);
    }
    const count = head.u16();
    const fields = await file.structure(node.at + 8 + 2 * offset, count * (keyBytes + offset), what);
    if ((leaves.length + count) * (keyBytes + offset) > file.source.size) throw circular(what);
    const children: { key: Key; address: number }[] = [];
    for (let i = 0; i < count; i++) {
      const from = fields.at;
      const key = readKey(fields);
      fields.skip(from + keyBytes - fields.at);
      children.push({ key, address: fields.placed(file.widths) });
    }
    if (level === 0) for (const leaf of children) leaves.push(leaf);
    else nodes.push(...children.reverse().map((child) => ({ at: child.address, level: level - 1 })));
  }
  return leaves;
}

/** Number of bytes that can hold any integer up to `limit`. */
export const bytesFor = (limit: number): number => Math.floor(Math.log2(Math.max(limit, 1)) / 8) + 1;

/** The records of a version 2 tree, each as a cursor. Throws an Error of one sentence if the tree is damaged. */
export async function readTree2(file: Hdf5File, address: number, recordType: number): Promise<Cursor[]> {
  const what = 'a tree of records';
  const { offset, length } = file.widths;
  const head = await file.structure(address, 16 + offset + 2 + length, what);
  head.signature('BTHD');
  head.version(0);
  const type = head.u8();
  const nodeBytes = head.u32();
  const recordBytes = head.u16();
  const depth = head.u16();
  head.skip(2);
  const root = head.address(file.widths);
  const rootCount = head.u16();
  if (type !== recordType || recordBytes < 1 || nodeBytes < 32 || depth > DEEPEST) {
    throw hdf5Error(
      `${what} of type ${type}, expected ${recordType}, is ${depth} deep in nodes of ${nodeBytes} bytes`,
    );
  }
  // The widths of the counts in a node depend on the most records that its children, and all nodes below them, can hold.
  let most = Math.floor((nodeBytes - 10) / recordBytes);
  const countBytes = bytesFor(most);
  const totalBytes = [0];
  for (let level = 1, all = most; level <= depth; level++) {
    const pointer = offset + countBytes + (totalBytes[level - 1] ?? 0);
    most = Math.floor((nodeBytes - 10 - pointer) / (recordBytes + pointer));
    all = (most + 1) * all + most;
    totalBytes.push(bytesFor(all));
  }
  const records: Cursor[] = [];
  const visit = async (at: number, count: number, level: number): Promise<void> => {
    const pointer = level === 0 ? 0 : offset + countBytes + (totalBytes[level - 1] ?? 0);
    const fields = await file.structure(
      at,
      6 + count * recordBytes + (level === 0 ? 0 : (count + 1) * pointer),
      what,
    );
    fields.signature(level === 0 ? 'BTLF' : 'BTIN');
    fields.version(0);
    fields.skip(1);
    if ((records.length + count) * recordBytes > file.source.size) throw circular(what);
    for (let i = 0; i < count; i++) records.push(fields.cut(recordBytes));
    if (level === 0) return;
    for (let i = 0; i <= count; i++) {
      const child = fields.placed(file.widths);
      const childCount = fields.unsigned(countBytes);
      fields.skip(totalBytes[level - 1] ?? 0);
      await visit(child, childCount, level - 1);
    }
  };
  if (root !== undefined) await visit(root, rootCount, depth);
  return records;
}
