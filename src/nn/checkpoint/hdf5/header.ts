// Object headers: the messages that describe a group or a data set.
import { Cursor, hdf5Error } from './cursor.ts';
import type { Hdf5File } from './file.ts';

/** Types of the supported messages. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
  /** True if the message is stored in another object, such as a committed data type. */
  readonly shared: boolean;
}

const SHARED = 0x02;
/** Upper bound on messages: the most that an old header can count. A new header could loop. */
const MOST_MESSAGES = 0xffff;

/** The messages of the object at `address`. Throws an Error of one sentence if there is no object. */
export async function readMessages(file: Hdf5File, address: number): Promise<readonly Message[]> {
  const first = (await file.structure(address, 1, 'an object')).u8();
  return first === 1 ? readOld(file, address) : readNew(file, address);
}

/** The message of a type; undefined if there is none. Throws if it is stored in another object. */
export function findMessage(messages: readonly Message[], type: number, what: string): Cursor | undefined {
  const found = messages.find((message) => message.type === type);
  if (found?.shared === true) throw hdf5Error(`${what} is shared between objects, which is not read`);
  return found && new Cursor(found.body, what);
}

/** Version 1: 12 bytes, 4 bytes of padding, then messages. */
async function readOld(file: Hdf5File, address: number): Promise<Message[]> {
  const head = await file.structure(address, 12, 'an object header');
  head.skip(2);
  const count = head.u16();
  head.skip(4);
  const messages: Message[] = [];
  const blocks = [{ at: address + 16, size: head.u32() }];
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
    const fields = await file.structure(block.at, block.size, 'an object header');
    while (fields.left >= 8 && messages.length < count) {
      const type = fields.u16();
      const size = fields.u16();
      const flags = fields.u8();
      fields.skip(3);
      const message = { type, body: fields.take(size), shared: (flags & SHARED) !== 0 };
      messages.push(message);
      if (type === MESSAGE.continuation) blocks.push(continuation(file, message));
    }
  }
  return messages;
}

/** Version 2: blocks that begin with a signature and end in a checksum. */
async function readNew(file: Hdf5File, address: number): Promise<Message[]> {
  const head = await file.structure(address, 6, 'an object header');
  head.signature('OHDR');
  head.version(2);
  const flags = head.u8();
  const fixed = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const width = 1 << (flags & 3);
  const size = (await file.structure(address + fixed, width, 'an object header')).unsigned(width);
  const prefix = flags & 0x04 ? 6 : 4;
  const messages: Message[] = [];
  const blocks = [{ at: address + fixed + width, size }];
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
    const fields = await file.structure(block.at, block.size, 'an object header');
    while (fields.left >= prefix) {
      if (messages.length === MOST_MESSAGES)
        throw hdf5Error(`an object has more than ${MOST_MESSAGES} messages`);
      const type = fields.u8();
      const length = fields.u16();
      const messageFlags = fields.u8();
      fields.skip(prefix - 4);
      const message = { type, body: fields.take(length), shared: (messageFlags & SHARED) !== 0 };
      messages.push(message);
      if (type === MESSAGE.continuation) {
        const { at, size: whole } = continuation(file, message);
        (await file.structure(at, 4, 'an object header')).signature('OCHK');
        blocks.push({ at: at + 4, size: whole - 8 });
      }
    }
  }
  return messages;
}

function continuation({ widths }: Hdf5File, { body }: Message): { at: number; size: number } {
  const fields = new Cursor(body, 'a continuation');
  return { at: fields.placed(widths), size: fields.length(widths) };
}
