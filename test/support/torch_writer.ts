/*
 * Files as torch.save writes them, with knobs for the dialects that no PyTorch at hand writes: Python 2, big-endian
 * machines, compressed zips, the layouts of other versions. Elements are not copied (but to swap their bytes), so that many
 * entries may share one array to make a big file.
 */
import { ELEMENT_BYTES, type FileDType } from '../../src/nn/checkpoint/elements.ts';
import {
  call,
  global,
  persistent,
  pickle,
  tuple,
  type Picklable,
  type PickleOptions,
} from './torch_writer_pickle.ts';
import { writeZip, type ZipOptions } from './torch_writer_zip.ts';

export interface TorchEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements of the storage, at least those that the tensor spans. */
  readonly data: ArrayBufferView<ArrayBuffer>;
  /** F32 by default. */
  readonly dtype?: FileDType;
  /** In elements; row-major by default. */
  readonly strides?: readonly number[];
  /** First element in the storage; 0 by default. */
  readonly offset?: number;
  /** Entries with equal keys share the storage of the first; one of its own by default. */
  readonly storage?: string;
  /** The tensor's storage is this part of the storage (legacy files alone). */
  readonly view?: { readonly key: string; readonly offset: number; readonly size: number };
}

export interface TorchOptions extends PickleOptions {
  readonly rebuild?: '_rebuild_tensor' | '_rebuild_tensor_v2';
  /** Each tensor within a Parameter. */
  readonly parameter?: boolean;
  readonly location?: string;
  readonly littleEndian?: boolean;
  /** The key of a dict around the state dict, as state_dict; a bare state dict by default. */
  readonly around?: string;
  /** What lies beside the state dict in the dict around it. */
  readonly beside?: ReadonlyMap<string, Picklable>;
}

export interface TorchZipOptions extends TorchOptions, ZipOptions {
  /** The top folder; `archive` by default. */
  readonly folder?: string;
  readonly deflate?: boolean;
  /** Where storages lie: `tensors` in PyTorch 1.4 and 1.5, `data` since. */
  readonly storages?: 'data' | 'tensors';
  /** Records of newer versions, as `byteorder` and `.format_version`. */
  readonly records?: ReadonlyMap<string, string>;
}

interface Storage {
  readonly key: string;
  readonly dtype: FileDType;
  readonly bytes: Uint8Array;
}

const STORAGE_CLASSES: Readonly<Record<FileDType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
  U32: 'UInt32Storage',
  U16: 'UInt16Storage',
};

const rowMajor = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * Math.max(size, 1), 1));

/** An OrderedDict as this Python pickles it. */
export function orderedDict(items: ReadonlyMap<Picklable, Picklable>, python2 = false): Picklable {
  const type = global('collections', 'OrderedDict');
  return python2 ? call(type, [[...items].map(([key, value]) => [key, value])]) : call(type, [], items);
}

/** What a legacy file holds: magic number, protocol version, system, object, storage keys, storages. */
export function writeTorchLegacy(entries: Iterable<TorchEntry>, options: TorchOptions = {}): Uint8Array[] {
  const { object, storages } = describe(entries, options, 'legacy');
  const littleEndian = options.littleEndian ?? true;
  const system = new Map<Picklable, Picklable>([
    ['protocol_version', 1001],
    ['little_endian', littleEndian],
    [
      'type_sizes',
      new Map([
        ['short', 2],
        ['int', 4],
        ['long', 4],
      ]),
    ],
  ]);
  const heads = [0x1950a86a20f9469cfc6cn, 1001, system, object, storages.map(({ key }) => key)];
  const pieces = heads.map((head) => pickle(head, options));
  for (const { bytes, dtype } of storages) {
    // PyTorch before 1.2 wrote the count as the machine has it, and elements little-endian on every machine.
    const count = new DataView(new ArrayBuffer(8));
    count.setBigInt64(0, BigInt(bytes.length / ELEMENT_BYTES[dtype]), littleEndian);
    pieces.push(new Uint8Array(count.buffer), bytes);
  }
  return pieces;
}

/** What a zip of PyTorch 1.4 and later holds. */
export function writeTorchZip(entries: Iterable<TorchEntry>, options: TorchZipOptions = {}): Uint8Array[] {
  const { folder = 'archive', deflate = false, storages: place = 'data', records, littleEndian } = options;
  const { object, storages } = describe(entries, options, 'zip');
  const little = littleEndian ?? true;
  const texts = new Map([
    ...(records ?? []),
    ...(little ? [] : [['byteorder', 'big'] as const]),
    ['version', '3\n'],
  ]);
  const files = [
    { name: `${folder}/data.pkl`, data: pickle(object, options), deflate },
    ...storages.map(({ key, bytes, dtype }) => ({
      name: `${folder}/${place}/${key}`,
      data: little ? bytes : swapped(bytes, ELEMENT_BYTES[dtype]),
      deflate,
    })),
    ...[...texts].map(([name, text]) => ({
      name: `${folder}/${name}`,
      data: new TextEncoder().encode(text),
    })),
  ];
  return writeZip(files, { alignment: 64, ...options });
}

/** The pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The object to be pickled, and the storages it names. */
function describe(
  entries: Iterable<TorchEntry>,
  options: TorchOptions,
  format: 'legacy' | 'zip',
): { object: Picklable; storages: Storage[] } {
  const { rebuild = '_rebuild_tensor_v2', parameter = false, location = 'cpu', around, beside } = options;
  const storages = new Map<string, Storage>();
  const tensors = new Map<Picklable, Picklable>();
  let unnamed = 0;
  for (const entry of entries) {
    const { name, shape, data, dtype = 'F32', strides = rowMajor(shape), offset = 0, view } = entry;
    const key = entry.storage ?? String(unnamed++);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const storage = storages.get(key) ?? { key, dtype, bytes };
    storages.set(key, storage);
    const count = storage.bytes.length / ELEMENT_BYTES[storage.dtype];
    const viewed = view === undefined ? null : tuple(view.key, view.offset, view.size);
    const type = global('torch', STORAGE_CLASSES[storage.dtype]);
    const id = tuple('storage', type, key, location, count, ...(format === 'legacy' ? [viewed] : []));
    const hooks = [false, orderedDict(new Map(), options.python2)];
    const tensor = call(global('torch._utils', rebuild), [
      persistent(id),
      offset,
      tuple(...shape),
      tuple(...strides),
      ...(rebuild === '_rebuild_tensor' ? [] : hooks),
    ]);
    tensors.set(
      name,
      parameter ? call(global('torch._utils', '_rebuild_parameter'), [tensor, ...hooks]) : tensor,
    );
  }
  const state = orderedDict(tensors, options.python2);
  const object =
    around === undefined ? state : new Map<Picklable, Picklable>([...(beside ?? []), [around, state]]);
  return { object, storages: [...storages.values()] };
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const result = bytes.slice();
  for (let at = 0; at < result.length; at += size) result.subarray(at, at + size).reverse();
  return result;
}
