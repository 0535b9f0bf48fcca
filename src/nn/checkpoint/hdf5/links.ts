// The members of a group.
import { readTree, readTree2 } from './btree.ts';
import { Cursor, hdf5Error, textOf } from './cursor.ts';
import type { Hdf5File } from './file.ts';
import { findMessage, MESSAGE, type Message } from './header.ts';
import { openFractalHeap, readLocalHeap } from './heap.ts';
import { quote } from '../quote.ts';

/** Addresses of a group's members by name; undefined for soft and external links, which are not followed. */
export type Links = ReadonlyMap<string, number | undefined>;

/** Type of the records that index links by name. */
const LINK_RECORDS = 5;
const SOFT_LINK = 2;
const LONGEST_NAME = 1024;

/** The members of a group with these messages, empty if the object is no group. Throws an Error of one sentence if it is damaged. */
export async function readLinks(file: Hdf5File, messages: readonly Message[]): Promise<Links> {
  const links = new Map<string, number | undefined>();
  const add = ({ name, address }: Link): void => {
    if (links.has(name)) throw hdf5Error(`a group has two members named ${quote(name)}`);
    links.set(name, address);
  };
  const table = findMessage(messages, MESSAGE.symbolTable, 'a table of links');
  if (table !== undefined) for (const link of await readSymbolTable(file, table)) add(link);
  for (const { type, body } of messages) {
    if (type === MESSAGE.link) add(parseLink(file, new Cursor(body, 'a link')));
  }
  const info = findMessage(messages, MESSAGE.linkInfo, 'the description of links');
  if (info !== undefined) for (const link of await readDense(file, info)) add(link);
  return links;
}

interface Link {
  readonly name: string;
  readonly address: number | undefined;
}

async function readSymbolTable(file: Hdf5File, table: Cursor): Promise<Link[]> {
  const tree = table.placed(file.widths);
  const names = await readLocalHeap(file, table.placed(file.widths));
  const { offset, length } = file.widths;
  const links: Link[] = [];
  for (const leaf of await readTree(file, tree, 0, length, () => undefined)) {
    const head = await file.structure(leaf.address, 8, 'a node of links');
    head.signature('SNOD');
    head.version(1);
    head.skip(1);
    const count = head.u16();
    const fields = await file.structure(leaf.address + 8, count * (2 * offset + 24), 'a node of links');
    for (let i = 0; i < count; i++) {
      const at = fields.unsigned(offset);
      const name = names.subarray(at, at + LONGEST_NAME);
      if (!name.includes(0))
        throw hdf5Error(`the name of a link at ${at} of ${names.length} bytes has no end`);
      const address = fields.address(file.widths);
      const soft = fields.u32() === SOFT_LINK;
      fields.skip(20);
      links.push({ name: textOf(name, 'the name of a link'), address: soft ? undefined : address });
    }
  }
  return links;
}

function parseLink({ widths }: Hdf5File, fields: Cursor): Link {
  fields.version(1);
  const flags = fields.u8();
  const hard = (flags & 0x08 ? fields.u8() : 0) === 0;
  fields.skip((flags & 0x04 ? 8 : 0) + (flags & 0x10 ? 1 : 0));
  const name = textOf(fields.take(fields.unsigned(1 << (flags & 3))), 'the name of a link');
  return { name, address: hard ? fields.address(widths) : undefined };
}

async function readDense(file: Hdf5File, info: Cursor): Promise<Link[]> {
  info.version(0);
  info.skip(info.u8() & 1 ? 8 : 0);
  const heapAddress = info.address(file.widths);
  const index = info.address(file.widths);
  if (heapAddress === undefined || index === undefined) return [];
  const heap = await openFractalHeap(file, heapAddress);
  const links: Link[] = [];
  for (const record of await readTree2(file, index, LINK_RECORDS)) {
    record.skip(4);
    links.push(parseLink(file, new Cursor(await heap(record), 'a link')));
  }
  return links;
}
