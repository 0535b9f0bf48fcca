// Attributes that hold texts. Keras stores the names of layers and weights in them.
import { readTree2 } from './btree.ts';
import { Cursor, hdf5Error, textOf } from './cursor.ts';
import type { Hdf5File } from './file.ts';
import { findMessage, MESSAGE, type Message } from './header.ts';
import { openFractalHeap, readGlobalHeap } from './heap.ts';
import { parseSpace, parseType, type Hdf5Type } from './type.ts';
import { quote } from '../quote.ts';

/** Type of the records that index attributes by name. */
const ATTRIBUTE_RECORDS = 8;
/** Upper bound on the texts of an attribute, since many references to one long text could fill the memory. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

/** An attribute whose value has not been read. */
interface Attribute {
  readonly type: Hdf5Type;
  readonly count: number;
  readonly data: Uint8Array;
}

export type Attributes = ReadonlyMap<string, Attribute>;

/** The attributes of an object with these messages, by name. Throws an Error of one sentence if they are damaged. */
export async function readAttributes(file: Hdf5File, messages: readonly Message[]): Promise<Attributes> {
  const bodies = messages.filter(({ type }) => type === MESSAGE.attribute).map(({ body }) => body);
  const info = findMessage(messages, MESSAGE.attributeInfo, 'the description of attributes');
  if (info !== undefined) bodies.push(...(await readDense(file, info)));
  return new Map(bodies.map((body) => parseAttribute(file, new Cursor(body, 'an attribute'))));
}

/** The texts of an attribute; undefined if it does not exist. Throws an Error of one sentence if it holds anything else. */
export async function readTexts(
  file: Hdf5File,
  attributes: Attributes,
  name: string,
): Promise<readonly string[] | undefined> {
  const attribute = attributes.get(name);
  if (attribute === undefined) return undefined;
  const { type, count, data } = attribute;
  const what = `attribute ${quote(name)}`;
  if (type.kind !== 'text' && type.kind !== 'long-text') {
    // h5py writes an empty list of names as floats.
    if (count === 0) return [];
    throw hdf5Error(`${what} holds ${type.kind === 'other' ? type.what : type.dtype} instead of text`);
  }
  if (type.size < 1) throw hdf5Error(`${what} holds texts of ${type.size} bytes`);
  const fields = new Cursor(data, what).cut(count * type.size);
  if (type.kind === 'text') {
    return Array.from({ length: count }, () => {
      const text = textOf(fields.take(type.size), what);
      return type.spaces ? text.trimEnd() : text;
    });
  }
  return readLongTexts(file, fields, count, what);
}

async function readLongTexts(file: Hdf5File, fields: Cursor, count: number, what: string): Promise<string[]> {
  // Only the last heap is kept: texts that were written together share a heap, and all heaps may be larger than the file.
  let heap: { address: number; texts: ReadonlyMap<number, Uint8Array> } | undefined;
  const texts: string[] = [];
  let characters = 0;
  for (let i = 0; i < count; i++) {
    const length = fields.u32();
    const address = fields.address(file.widths);
    const index = fields.u32();
    // An empty text has no heap object.
    if (length === 0 || address === undefined || address === 0) {
      texts.push('');
      continue;
    }
    if (heap?.address !== address) heap = { address, texts: await readGlobalHeap(file, address) };
    const bytes = heap.texts.get(index);
    if (bytes === undefined || bytes.length < length)
      throw hdf5Error(`${what} refers to a text that is not there`);
    characters += length;
    if (characters > MOST_CHARACTERS) throw hdf5Error(`${what} has more than ${MOST_CHARACTERS} characters`);
    texts.push(textOf(bytes.subarray(0, length), what));
  }
  return texts;
}

function parseAttribute(file: Hdf5File, fields: Cursor): [string, Attribute] {
  const version = fields.version(1, 2, 3);
  const shared = version > 1 && (fields.u8() & 3) !== 0;
  if (version === 1) fields.skip(1);
  const [nameBytes, typeBytes, spaceBytes] = [fields.u16(), fields.u16(), fields.u16()];
  if (version === 3) fields.skip(1);
  const padded = (bytes: number): Cursor => {
    const part = fields.cut(bytes);
    // Only version 1 pads to multiples of 8.
    if (version === 1) fields.skip((8 - (bytes % 8)) % 8);
    return part;
  };
  const name = textOf(padded(nameBytes).bytes, 'the name of an attribute');
  const typeFields = padded(typeBytes);
  const spaceFields = padded(spaceBytes);
  if (shared)
    return [
      name,
      { type: { kind: 'other', size: 0, what: 'a shared type' }, count: NaN, data: fields.bytes },
    ];
  const shape = parseSpace(spaceFields, file.widths);
  return [
    name,
    {
      type: parseType(typeFields),
      count: shape.reduce((product, n) => product * n, 1),
      data: fields.take(fields.left),
    },
  ];
}

async function readDense(file: Hdf5File, info: Cursor): Promise<Uint8Array[]> {
  info.version(0);
  info.skip(info.u8() & 1 ? 2 : 0);
  const heapAddress = info.address(file.widths);
  const index = info.address(file.widths);
  if (heapAddress === undefined || index === undefined) return [];
  const heap = await openFractalHeap(file, heapAddress);
  const bodies: Uint8Array[] = [];
  for (const record of await readTree2(file, index, ATTRIBUTE_RECORDS)) bodies.push(await heap(record));
  return bodies;
}
