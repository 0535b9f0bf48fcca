/*
 * Files of torch.save before PyTorch 1.6, or with _use_new_zipfile_serialization=False: five pickles (magic
 * number, protocol version, system, object, storage keys), then for each key an int64 count and the elements.
 */
import type { CheckpointFile } from '../checkpoint.ts';
import { ELEMENT_BYTES } from '../elements.ts';
import { readPickle, type Pickle } from './pickle.ts';
import { MorePickleNeeded, type PickleCursor } from './pickle_cursor.ts';
import { isSequence, kindOfValue, type PicklePersistent, type PickleValue } from './pickle_values.ts';
import { quote } from '../quote.ts';
import type { ByteSource } from '../source.ts';
import { TORCH_RULES } from './globals.ts';
import { storageOf, torchError, type TorchStorage } from './layout.ts';
import { torchState } from './state.ts';
import { openTensors, type StorageBytes } from './tensors.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** A pickle is read in windows that grow by a factor of 4 up to this. Pickles of checkpoints have some kilobytes. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;
const FIRST_WINDOW = 2 ** 16;
const COUNT_BYTES = 8;

/** Opens a legacy file. Throws an Error of one sentence if it has another format, is damaged, or names a class that is not allowed. */
export async function readTorchLegacy(source: ByteSource): Promise<CheckpointFile> {
  const magic = await readPickleAt(source, 0);
  if (magic.value !== MAGIC) {
    throw torchError(
      `it is a pickle, but not one of torch.save (it begins with ${kindOfValue(magic.value)}): ` +
        'in Python, load it and save torch.save(model.state_dict(), path)',
    );
  }
  const version = await readPickleAt(source, magic.end);
  if (version.value !== PROTOCOL)
    throw torchError(`it is of protocol ${kindOfValue(version.value)}, known is ${PROTOCOL}`);
  const system = await readPickleAt(source, version.end);
  const object = await readPickleAt(source, system.end);
  const keys = await readPickleAt(source, object.end);
  const state = torchState(object.value);
  const storages = await locateStorages(source, keys, namedStorages(object.persistent));
  const tensors = openTensors(state.tensors, ({ key }) => {
    const bytes = storages.get(key);
    if (bytes === undefined) throw torchError(`its list of storages lacks ${quote(key)}`);
    return bytes;
  });
  return { format: 'torch-legacy', tensors, metadata: state.metadata };
}

interface PlacedPickle extends Pickle {
  /** Position after the pickle. */
  readonly end: number;
}

async function readPickleAt(source: ByteSource, origin: number): Promise<PlacedPickle> {
  const limit = source.size - origin;
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const bytes = await source.read(origin, origin + Math.min(window, limit));
    const cursor: PickleCursor = { bytes, limit, origin, holder: 'the file', at: 0 };
    try {
      const pickle = readPickle(cursor, TORCH_RULES);
      return { ...pickle, end: origin + cursor.at };
    } catch (error) {
      if (!(error instanceof MorePickleNeeded)) throw error;
      if (window >= MAX_PICKLE_BYTES)
        throw torchError(`a pickle of it has more than ${MAX_PICKLE_BYTES} bytes, the file is damaged`);
    }
  }
}

/** Storages by key, from all tensors of the object, including those of an optimizer: the file contains all of them. */
function namedStorages(persistent: readonly PicklePersistent[]): Map<string, TorchStorage> {
  const storages = new Map<string, TorchStorage>();
  for (const { id } of persistent) {
    const storage = storageOf(id, 'a tensor');
    const known = storages.get(storage.key);
    if (known !== undefined && (known.count !== storage.count || known.dtype !== storage.dtype)) {
      const both = `${known.count} ${known.dtype} and ${storage.count} ${storage.dtype}`;
      throw torchError(`storage ${quote(storage.key)} has both ${both}`);
    }
    storages.set(storage.key, storage);
  }
  return storages;
}

async function locateStorages(
  source: ByteSource,
  { value, end }: { value: PickleValue; end: number },
  named: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, StorageBytes>> {
  if (!isSequence(value)) throw torchError(`its list of storages is ${kindOfValue(value)}`);
  const located = new Map<string, StorageBytes>();
  let at = end;
  for (const item of value.items) {
    const key = typeof item === 'string' || typeof item === 'number' ? String(item) : undefined;
    const storage = key === undefined ? undefined : named.get(key);
    if (key === undefined || storage === undefined)
      throw torchError(`its list of storages has ${kindOfValue(item)} that no tensor refers to`);
    if (located.has(key)) throw torchError(`its list of storages has ${quote(key)} twice`);
    const begin = at + COUNT_BYTES;
    const byteLength = storage.count * ELEMENT_BYTES[storage.dtype];
    if (!(begin + byteLength <= source.size)) {
      const what = `storage ${quote(key)} of ${byteLength} bytes would begin at byte ${begin}`;
      throw torchError(`${what}, the file ends at ${source.size}: it is cut short`);
    }
    const countAt = at;
    let checked: Promise<void> | undefined;
    const check = (): Promise<void> => (checked ??= checkCount(source, countAt, storage));
    if (source.remote !== true) await check();
    located.set(key, {
      byteLength,
      // PyTorch writes little-endian elements on every machine.
      littleEndian: true,
      compressed: false,
      read: async (from, to) => {
        const [bytes] = await Promise.all([source.read(begin + from, begin + to), check()]);
        return bytes;
      },
    });
    at = begin + byteLength;
  }
  return located;
}

/** Checks the count before the elements, which is little-endian, or native-endian before PyTorch 1.2. */
async function checkCount(source: ByteSource, at: number, { key, count }: TorchStorage): Promise<void> {
  const view = new DataView((await source.read(at, at + COUNT_BYTES)).buffer);
  const [little, big] = [view.getBigInt64(0, true), view.getBigInt64(0, false)];
  if (little !== BigInt(count) && big !== BigInt(count)) {
    const what = `storage ${quote(key)} at byte ${at}`;
    throw torchError(`${what} has ${little} elements where the pickle says ${count}: the file is damaged`);
  }
}
