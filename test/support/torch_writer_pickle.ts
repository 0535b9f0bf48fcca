/** Values that `pickle` writes; arrays are lists and Maps are dicts. */
export type Picklable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Picklable[]
  | ReadonlyMap<Picklable, Picklable>
  | Tuple
  | Global
  | Float
  | Call
  | Persistent;

interface Tuple {
  readonly kind: 'tuple';
  readonly items: readonly Picklable[];
}
interface Global {
  readonly kind: 'global';
  readonly module: string;
  readonly name: string;
}
interface Float {
  readonly kind: 'float';
  readonly value: number;
}
interface Call {
  readonly kind: 'call';
  readonly callable: Picklable;
  readonly args: readonly Picklable[];
  /** Items set after the call, as those of an OrderedDict. */
  readonly items: ReadonlyMap<Picklable, Picklable> | undefined;
  /** What BUILD is given, if anything. */
  readonly state: Picklable | undefined;
}
interface Persistent {
  readonly kind: 'persistent';
  readonly id: Picklable;
}

export const tuple = (...items: readonly Picklable[]): Tuple => ({ kind: 'tuple', items });
export const global = (module: string, name: string): Global => ({ kind: 'global', module, name });
export const float = (value: number): Float => ({ kind: 'float', value });
export const persistent = (id: Picklable): Persistent => ({ kind: 'persistent', id });
export const call = (
  callable: Picklable,
  args: readonly Picklable[],
  items?: ReadonlyMap<Picklable, Picklable>,
  state?: Picklable,
): Call => ({ kind: 'call', callable, args, items, state });

export interface PickleOptions {
  /** 2 by default, as torch.save writes. */
  readonly protocol?: 2 | 3 | 4 | 5;
  /** Texts as byte strings (SHORT_BINSTRING, BINSTRING), as Python 2 writes them. */
  readonly python2?: boolean;
}

/** A pickle of the value as Python's pickler would write it, with equal texts, globals and objects memoized. */
export function pickle(value: Picklable, { protocol = 2, python2 = false }: PickleOptions = {}): Uint8Array {
  const out: number[] = [];
  const memo = new Map<unknown, number>();
  let memoized = 0;

  const op = (code: string | number, ...bytes: readonly number[]): void => {
    out.push(typeof code === 'number' ? code : code.charCodeAt(0), ...bytes);
  };
  const raw = (bytes: Uint8Array): void => {
    for (const byte of bytes) out.push(byte);
  };
  const little = (size: number, n: number | bigint): number[] =>
    Array.from({ length: size }, (_, i) => Number((BigInt(n) >> BigInt(8 * i)) & 255n));
  const remember = (key: unknown): void => {
    const index = memoized++;
    memo.set(key, index);
    if (protocol >= 4) op(0x94);
    else if (index < 256) op('q', index);
    else op('r', ...little(4, index));
  };
  const recall = (key: unknown): boolean => {
    const index = memo.get(key);
    if (index === undefined) return false;
    if (index < 256) op('h', index);
    else op('j', ...little(4, index));
    return true;
  };

  const writeText = (text: string): void => {
    if (recall(`text ${text}`)) return;
    if (python2) {
      const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
      if (bytes.length < 256) op('U', bytes.length);
      else op('T', ...little(4, bytes.length));
      raw(bytes);
    } else {
      const bytes = new TextEncoder().encode(text);
      if (protocol >= 4 && bytes.length < 256) op(0x8c, bytes.length);
      else op('X', ...little(4, bytes.length));
      raw(bytes);
    }
    remember(`text ${text}`);
  };
  const writeInteger = (n: number | bigint): void => {
    if (n >= 0 && n < 256) op('K', Number(n));
    else if (n >= 0 && n < 65536) op('M', ...little(2, n));
    else if (n >= -(2 ** 31) && n < 2 ** 31) op('J', ...little(4, n));
    else {
      let size = 1;
      while (BigInt.asIntN(8 * size, BigInt(n)) !== BigInt(n)) size++;
      op(0x8a, size, ...little(size, n));
    }
  };
  const writeItems = (items: ReadonlyMap<Picklable, Picklable>): void => {
    if (items.size === 0) return;
    op('(');
    for (const [key, item] of items) {
      write(key);
      write(item);
    }
    op('u');
  };
  const writeTuple = (items: readonly Picklable[]): void => {
    if (items.length === 0) return op(')');
    if (items.length > 3) op('(');
    items.forEach(write);
    if (items.length > 3) op('t');
    else op(0x84 + items.length);
  };
  const writeGlobal = ({ module, name }: Global): void => {
    const key = `global ${module} ${name}`;
    if (recall(key)) return;
    if (protocol >= 4) {
      writeText(module);
      writeText(name);
      op(0x93);
    } else {
      op('c');
      raw(new TextEncoder().encode(`${module}\n${name}\n`));
    }
    remember(key);
  };
  const writeBytes = (bytes: Uint8Array): void => {
    if (bytes.length < 256) op('C', bytes.length);
    else op('B', ...little(4, bytes.length));
    raw(bytes);
  };

  const write = (node: Picklable): void => {
    if (node === null) return op('N');
    if (node === true || node === false) return op(node ? 0x88 : 0x89);
    if (typeof node === 'string') return writeText(node);
    if (typeof node === 'number' || typeof node === 'bigint') return writeInteger(node);
    if (node instanceof Uint8Array) return writeBytes(node);
    if ('kind' in node && node.kind === 'global') return writeGlobal(node);
    if ('kind' in node && node.kind === 'float') {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, node.value);
      op('G');
      return raw(bytes);
    }
    if (recall(node)) return;
    if (node instanceof Map) {
      op('}');
      remember(node);
      return writeItems(node as ReadonlyMap<Picklable, Picklable>);
    }
    if ('kind' in node) {
      switch (node.kind) {
        case 'tuple':
          writeTuple(node.items);
          return remember(node);
        case 'persistent':
          write(node.id);
          return op('Q');
        case 'call':
          write(node.callable);
          writeTuple(node.args);
          op('R');
          remember(node);
          if (node.items) writeItems(node.items);
          if (node.state === undefined) return;
          write(node.state);
          return op('b');
      }
    }
    op(']');
    remember(node);
    op('(');
    (node as readonly Picklable[]).forEach(write);
    op('e');
  };

  write(value);
  op('.');
  const frame = protocol >= 4 ? [0x95, ...little(8, out.length)] : [];
  return Uint8Array.from([0x80, protocol, ...frame, ...out]);
}
