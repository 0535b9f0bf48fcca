import { checkpointTensor, type CheckpointTensor } from '../checkpoint.ts';
import { ELEMENT_BYTES, swapBytes } from '../elements.ts';
import type { PickleCall } from './pickle_values.ts';
import { layoutOf, torchError, type TorchLayout, type TorchStorage } from './layout.ts';

/** Access to the elements of a storage in a file. */
export interface StorageBytes {
  readonly byteLength: number;
  readonly littleEndian: boolean;
  /** True if reading a range requires decompressing everything before it. */
  readonly compressed: boolean;
  /** The bytes [begin, end) of the storage in a buffer of their own. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Upper bound on the work for all tensors: this factor of the storages, plus a constant. Tensors may share storages. */
const SHARING = 4;
const SHARING_BYTES = 64 * 2 ** 20;

/**
 * The tensors of a file, read on demand. Throws an Error of one sentence if one does not lie within its storage, or if reading
 * all of them would take far more work than the size of the storages.
 */
export function openTensors(
  calls: ReadonlyMap<string, PickleCall>,
  locate: (storage: TorchStorage) => StorageBytes,
): Map<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>();
  const storages = new Map<string, number>();
  let work = 0;
  for (const [name, call] of calls) {
    const layout = layoutOf(call, name);
    const bytes = locate(layout.storage);
    storages.set(layout.storage.key, bytes.byteLength);
    work += workOf(layout, bytes);
    tensors.set(name, openTensor(name, layout, bytes));
  }
  const stored = [...storages.values()].reduce((sum, size) => sum + size, 0);
  if (work > SHARING * stored + SHARING_BYTES) {
    const how = `its tensors share ${stored} bytes so often that ${work} would be read`;
    throw torchError(`${how}: save them as tensors of their own (tensor.clone()), uncompressed`);
  }
  return tensors;
}

/** Number of bytes to process to read the tensor. */
function workOf({ dtype, elements, begin, end }: TorchLayout, { compressed }: StorageBytes): number {
  if (elements === 0) return 0;
  return ELEMENT_BYTES[dtype] * Math.max(elements, compressed ? end : end - begin);
}

function openTensor(name: string, layout: TorchLayout, storage: StorageBytes): CheckpointTensor {
  const { dtype, shape } = layout;
  return checkpointTensor(name, dtype, shape, () => readElements(layout, storage));
}

async function readElements(layout: TorchLayout, storage: StorageBytes): Promise<Uint8Array<ArrayBuffer>> {
  const { dtype, elements, begin, end } = layout;
  if (elements === 0) return new Uint8Array(0);
  const size = ELEMENT_BYTES[dtype];
  const read = await storage.read(begin * size, end * size);
  // A copy if needed, because views of larger words must be aligned and callers use the whole buffer.
  const bytes = read.length === read.buffer.byteLength ? read : new Uint8Array(read);
  if (!storage.littleEndian) swapBytes(bytes, size);
  return isRowMajor(layout) ? bytes : gather(layout, bytes);
}

function isRowMajor({ shape, strides }: TorchLayout): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Gathers the elements in row-major order from the bytes that the tensor spans. */
function gather(
  { dtype, shape, strides, elements }: TorchLayout,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(elements * ELEMENT_BYTES[dtype]);
  switch (ELEMENT_BYTES[dtype]) {
    case 1:
      gatherWords(bytes, result, shape, strides);
      break;
    case 2:
      gatherWords(new Uint16Array(bytes.buffer), new Uint16Array(result.buffer), shape, strides);
      break;
    case 4:
      gatherWords(new Uint32Array(bytes.buffer), new Uint32Array(result.buffer), shape, strides);
      break;
    case 8: {
      // Elements of 8 bytes are moved as two words, because bigints would be slow and f64 would not preserve every NaN.
      const halves = [...strides.map((stride) => 2 * stride), 1];
      gatherWords(new Uint32Array(bytes.buffer), new Uint32Array(result.buffer), [...shape, 2], halves);
      break;
    }
  }
  return result;
}

type Words = Uint8Array | Uint16Array | Uint32Array;

function gatherWords(from: Words, to: Words, shape: readonly number[], strides: readonly number[]): void {
  const inner = shape.at(-1) ?? 1;
  const step = strides.at(-1) ?? 1;
  const index = shape.map(() => 0);
  let at = 0;
  for (let row = 0; row < to.length; row += inner) {
    for (let i = 0; i < inner; i++) to[row + i] = from[at + i * step] ?? 0;
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      const [size, stride, next] = [shape[axis] ?? 1, strides[axis] ?? 0, (index[axis] ?? 0) + 1];
      if (next < size) {
        index[axis] = next;
        at += stride;
        break;
      }
      index[axis] = 0;
      at -= stride * (size - 1);
    }
  }
}
