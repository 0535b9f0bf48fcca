import { ELEMENT_BYTES, type FileDType } from '../elements.ts';
import {
  isCall,
  isDict,
  isPickleObject,
  isSequence,
  kindOfValue,
  type PickleCall,
  type PickleValue,
} from './pickle_values.ts';
import { quote } from '../quote.ts';
import { storageDType, torchDType } from './globals.ts';

/** A storage, which tensors may share, as described by a persistent id. */
export interface TorchStorage {
  readonly key: string;
  readonly dtype: FileDType;
  /** Number of elements in the whole storage. */
  readonly count: number;
  /** The elements [offset, offset + size) of the storage that are referred to. Only in old legacy files. */
  readonly view: { readonly offset: number; readonly size: number } | undefined;
}

/** Layout of a tensor in its storage. All numbers have been checked. */
export interface TorchLayout {
  readonly storage: TorchStorage;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** In elements, not negative. */
  readonly strides: readonly number[];
  readonly elements: number;
  /** Elements of the storage that the tensor spans: [begin, end). */
  readonly begin: number;
  readonly end: number;
}

/** The largest typed array that every browser supports. */
const MAX_TENSOR_BYTES = 2 ** 31;
/** PyTorch's limit. */
const MAX_RANK = 64;
/** Upper bound on the elements of an expanded tensor, which repeats those of a smaller storage, so that a small file cannot fill the memory. */
const MAX_EXPANDED = 2 ** 22;

/** Upper bound on nested calls around a tensor. A parameter of a subclass has 3. */
const MAX_WRAPPERS = 8;

const PARAMETERS = ['torch._utils._rebuild_parameter', 'torch._utils._rebuild_parameter_with_state'];
const TENSORS = [
  'torch._utils._rebuild_tensor',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
];
const SUBCLASS = 'torch._tensor._rebuild_from_type_v2';

/** Whether a call rebuilds a tensor or parameter. */
export const isTensorCall = (value: PickleValue | undefined): value is PickleCall =>
  isCall(value) &&
  (TENSORS.includes(value.name) || PARAMETERS.includes(value.name) || value.name === SUBCLASS);

export const torchError = (why: string): Error => new Error(`PyTorch checkpoint: ${why}`);

/** The storage of a persistent id. Throws an Error of one sentence that begins with `what` if the id does not describe one. */
export function storageOf(id: PickleValue | undefined, what: string): TorchStorage {
  const items = isSequence(id) ? id.items : [];
  const [tag, type, key, , count, view] = items;
  if (tag !== 'storage') throw torchError(`${what} refers to ${kindOfValue(tag ?? id)} instead of a storage`);
  const dtype = isPickleObject(type) && type.kind === 'global' ? storageDType(type.name) : undefined;
  if (dtype === undefined) throw torchError(`${what} has a storage whose type is ${kindOfValue(type)}`);
  if (typeof key !== 'string' && typeof key !== 'number')
    throw torchError(`${what} has a storage whose key is ${kindOfValue(key)}`);
  if (!isSize(count)) throw torchError(`${what} has a storage of ${describe(count)} elements`);
  return { key: String(key), dtype, count, view: viewOf(view, count, what) };
}

function viewOf(view: PickleValue | undefined, count: number, what: string): TorchStorage['view'] {
  if (view === null || view === undefined) return undefined;
  const [, offset, size] = isSequence(view) ? view.items : [];
  if (!isSize(offset) || !isSize(size) || offset + size > count) {
    const range = `elements ${describe(offset)} and ${describe(size)} more`;
    throw torchError(`${what} views ${range} of a storage of ${count}`);
  }
  return { offset, size };
}

/** The layout from the call that rebuilds a tensor. Throws an Error of one sentence that names the tensor if it contradicts itself. */
export function layoutOf(call: PickleCall, name: string): TorchLayout {
  const what = `tensor ${quote(name)}`;
  const [first, offset, size, stride, , , dtypeOrFlags] = plainTensor(call, what);
  if (!isPickleObject(first) || first.kind !== 'persistent')
    throw torchError(`${what} is made of ${kindOfValue(first)}, not of a storage`);
  const storage = storageOf(first.id, what);
  const dtype = dtypeOf(dtypeOrFlags, storage, what);
  const shape = sizes(size, what, 'shape');
  const strides = sizes(stride, what, 'strides');
  if (shape.length !== strides.length)
    throw torchError(`${what} has ${shape.length} axes and ${strides.length} strides`);
  if (!isSize(offset)) throw torchError(`${what} begins at element ${describe(offset)} of its storage`);
  const elements = countOf(shape, dtype, what);
  const begin = offset + (storage.view?.offset ?? 0);
  const span = shape.reduce((last, n, axis) => last + (n - 1) * (strides[axis] ?? 0), 1);
  const end = elements === 0 ? begin : begin + span;
  const stored = Math.floor((storage.count * ELEMENT_BYTES[storage.dtype]) / ELEMENT_BYTES[dtype]);
  const limit = storage.view === undefined ? stored : storage.view.offset + storage.view.size;
  if (elements > 0 && !(end <= limit))
    throw torchError(`${what} reaches element ${end} of a storage of ${limit}: the file is damaged`);
  if (elements > Math.max(stored, MAX_EXPANDED))
    throw torchError(
      `${what} repeats a storage of ${stored} elements to ${elements}, the limit is ${MAX_EXPANDED}`,
    );
  return { storage, dtype, shape, strides, elements, begin, end };
}

/** The arguments of the innermost call, since parameters and subclasses wrap the call of a tensor. */
function plainTensor(call: PickleCall, what: string): readonly PickleValue[] {
  let { name, args } = call;
  for (let depth = 0; !TENSORS.includes(name); depth++) {
    if (depth > MAX_WRAPPERS) throw torchError(`${what} is wrapped more than ${MAX_WRAPPERS} times`);
    const [inner, , wrapped] = args;
    if (name === SUBCLASS && isPickleObject(inner) && inner.kind === 'global' && isSequence(wrapped)) {
      ({ name } = inner);
      args = wrapped.items;
      if (TENSORS.includes(name)) break;
    }
    if (!isTensorCall(inner)) throw torchError(`${what} is made of ${kindOfValue(inner)}`);
    ({ name, args } = inner);
  }
  return args;
}

/** The element type. The argument is the type in `_rebuild_tensor_v3`; in `_rebuild_tensor_v2` it asks for negation or conjugation. */
function dtypeOf(value: PickleValue | undefined, storage: TorchStorage, what: string): FileDType {
  if (isDict(value) && value.entries.length > 0)
    throw torchError(
      `${what} is a lazily negated or conjugated view: in Python, save its resolve_neg().resolve_conj()`,
    );
  if (!isPickleObject(value) || value.kind !== 'global') return storage.dtype;
  const dtype = torchDType(value.name);
  if (dtype === undefined) throw torchError(`${what} is of ${value.name}, which is not supported`);
  return dtype;
}

function sizes(value: PickleValue | undefined, what: string, of: 'shape' | 'strides'): number[] {
  if (!isSequence(value)) throw torchError(`${what} has ${kindOfValue(value)} for its ${of}`);
  if (value.items.length > MAX_RANK)
    throw torchError(`${what} has ${value.items.length} axes, the limit is ${MAX_RANK}`);
  return value.items.map((item) => {
    if (!isSize(item)) throw torchError(`${what} has ${describe(item)} in its ${of}`);
    return item;
  });
}

function countOf(shape: readonly number[], dtype: FileDType, what: string): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (count * ELEMENT_BYTES[dtype] > MAX_TENSOR_BYTES)
      throw torchError(`${what} of ${dtype} [${shape.join(', ')}] has more than ${MAX_TENSOR_BYTES} bytes`);
  }
  return count;
}

const isSize = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const describe = (value: PickleValue | undefined): string =>
  typeof value === 'number' || typeof value === 'bigint' ? String(value) : kindOfValue(value);
