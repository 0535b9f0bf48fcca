/*
 * Files of torch.save since PyTorch 1.6 (optional since 1.4): a zip of FOLDER/data.pkl, FOLDER/data/KEY for each storage
 * (FOLDER/tensors/KEY before 1.6), FOLDER/version and, in newer ones, FOLDER/byteorder.
 */
import type { CheckpointFile } from '../checkpoint.ts';
import { ELEMENT_BYTES } from '../elements.ts';
import { readPickle, type Pickle } from './pickle.ts';
import { latin1, type PickleCursor } from './pickle_cursor.ts';
import { quote } from '../quote.ts';
import type { ByteSource } from '../source.ts';
import { TORCH_RULES } from './globals.ts';
import { torchError, type TorchStorage } from './layout.ts';
import { torchState } from './state.ts';
import { openTensors, type StorageBytes } from './tensors.ts';
import { readZipDirectory, type ZipEntry } from '../zip/directory.ts';
import { readZipEntry } from '../zip/entry.ts';

const PICKLE = 'data.pkl';
const MAX_PICKLE_BYTES = 64 * 2 ** 20;
const MAX_BYTE_ORDER_BYTES = 16;

type Entries = ReadonlyMap<string, ZipEntry>;

/** Opens a zip of PyTorch. Throws an Error of one sentence if it is another zip, is damaged, or names a class that is not allowed. */
export async function readTorchZip(source: ByteSource): Promise<CheckpointFile> {
  const entries = await readZipDirectory(source);
  const folder = folderOf(entries);
  const littleEndian = await isLittleEndian(source, entries, folder);
  const state = torchState((await readObject(source, entries, folder)).value);
  const tensors = openTensors(state.tensors, (storage) =>
    locate(source, entries, folder, storage, littleEndian),
  );
  return { format: 'torch-zip', tensors, metadata: state.metadata };
}

/** The path before data.pkl: a folder with a slash, or nothing if the zip was repacked. */
function folderOf(entries: Entries): string {
  const names = [...entries.keys()];
  const [pickle, ...others] = names.filter((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  if (pickle === undefined) {
    const listed = names.length === 0 ? 'nothing' : names.slice(0, 3).map(quote).join(', ');
    throw torchError(`it is a zip, but not one of torch.save: it has no ${PICKLE} and holds ${listed}`);
  }
  if (others.length > 0)
    throw torchError(`its zip has several ${PICKLE}, so that it is not clear which is meant`);
  const folder = pickle.slice(0, -PICKLE.length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw torchError(
      'it is a TorchScript program, whose code would have to run: in Python, save torch.save(torch.jit.load(path).state_dict(), other)',
    );
  }
  return folder;
}

async function readObject(source: ByteSource, entries: Entries, folder: string): Promise<Pickle> {
  const entry = entries.get(`${folder}${PICKLE}`);
  if (entry === undefined || entry.size > MAX_PICKLE_BYTES)
    throw torchError(`its ${PICKLE} has more than ${MAX_PICKLE_BYTES} bytes, which no checkpoint needs`);
  const bytes = await readZipEntry(source, entry);
  const cursor: PickleCursor = { bytes, limit: bytes.length, origin: 0, holder: PICKLE, at: 0 };
  return readPickle(cursor, TORCH_RULES);
}

/** Byte order of the file. Files without the record are taken for little-endian. */
async function isLittleEndian(source: ByteSource, entries: Entries, folder: string): Promise<boolean> {
  const entry = entries.get(`${folder}byteorder`);
  if (entry === undefined) return true;
  const text = latin1(await readZipEntry(source, entry, 0, Math.min(entry.size, MAX_BYTE_ORDER_BYTES)));
  const order = text.trim();
  if (order !== 'little' && order !== 'big')
    throw torchError(`its byte order is ${quote(order)}, known are little and big`);
  return order === 'little';
}

function locate(
  source: ByteSource,
  entries: Entries,
  folder: string,
  { key, dtype, count }: TorchStorage,
  littleEndian: boolean,
): StorageBytes {
  const entry = entries.get(`${folder}data/${key}`) ?? entries.get(`${folder}tensors/${key}`);
  if (entry === undefined) throw torchError(`its zip lacks the storage ${quote(`${folder}data/${key}`)}`);
  const byteLength = count * ELEMENT_BYTES[dtype];
  if (entry.size !== byteLength) {
    throw torchError(
      `storage ${quote(entry.name)} has ${entry.size} bytes where the pickle says ${byteLength}: the file is damaged`,
    );
  }
  return {
    byteLength,
    littleEndian,
    compressed: entry.method === 'deflated',
    read: (begin, end) => readZipEntry(source, entry, begin, end),
  };
}
