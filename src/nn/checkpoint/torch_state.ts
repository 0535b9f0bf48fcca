import {
  dictEntries,
  isCall,
  isDict,
  isPickleObject,
  isSequence,
  kindOfValue,
  type PickleCall,
  type PickleDict,
  type PickleValue,
} from './pickle_values.ts';
import { latin1 } from './pickle_cursor.ts';
import { quote } from './quote.ts';
import { isTensorCall, torchError } from './torch_layout.ts';

/** What a checkpoint's object says: calls that rebuild tensors, by name, and the scalars beside them. */
export interface TorchState {
  readonly tensors: ReadonlyMap<string, PickleCall>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Keys under which training scripts keep a model's state dict; the first that there is counts. */
const WRAPPERS = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'module',
  'params',
  'weights',
];
const DATA_PARALLEL = 'module.';
const MAX_DEPTH = 32;
const MAX_NODES = 200_000;
const MAX_NAME = 1000;

/**
 * The state dict in what was saved: the object itself, or the one dict in it that holds tensors; nested dicts' names are
 * joined by dots, and `module.` (DataParallel) is taken off where all names have it. Throws an Error of one sentence if it
 * is not clear which, lists the candidates, or a name is there twice.
 */
export function torchState(root: PickleValue): TorchState {
  if (!isDict(root)) {
    const found = isTensorCall(root) ? 'a tensor alone' : kindOfValue(root);
    throw torchError(
      `it holds ${found}, not a state dict: in Python, save torch.save(model.state_dict(), path)`,
    );
  }
  const { state, around } = chooseState(root);
  const tensors = new Map<string, PickleCall>();
  const metadata = new Map<string, string>();
  flatten(state, { tensors, metadata, nodes: 0 }, '', 0);
  for (const [key, value] of around === undefined ? [] : dictEntries(around)) {
    const text =
      value === state
        ? undefined
        : holdsTensors(value)
          ? 'left out: it holds tensors too'
          : scalarText(value);
    if (typeof key === 'string' && text !== undefined && !metadata.has(key)) metadata.set(key, text);
  }
  return { tensors: withoutPrefix(tensors), metadata };
}

function chooseState(root: PickleDict): { state: PickleDict; around: PickleDict | undefined } {
  const entries = [...dictEntries(root)];
  const holders = entries.flatMap(([key, value]) =>
    isDict(value) && !isOptimizer(value) && holdsTensors(value)
      ? [[typeof key === 'string' ? key : kindOfValue(key), value] as const]
      : [],
  );
  for (const wrapper of WRAPPERS) {
    const state = holders.find(([key]) => key === wrapper)?.[1];
    if (state !== undefined) return { state, around: root };
  }
  if (entries.some(([, value]) => isTensorCall(value))) return { state: root, around: undefined };
  const [only, ...others] = holders;
  if (only !== undefined && others.length === 0) return { state: only[1], around: root };
  if (only !== undefined) {
    const names = holders.map(([key]) => quote(key)).slice(0, 20);
    throw torchError(
      `${holders.length} dicts in it hold tensors (${names.join(', ')}): in Python, save the one that is meant alone`,
    );
  }
  throw torchError(
    `it holds no tensors but those of an optimizer, if any: in Python, save model.state_dict()`,
  );
}

/** Moments and steps are no weights. */
function isOptimizer(dict: PickleDict): boolean {
  const keys = [...dictEntries(dict)].map(([key]) => key);
  return keys.includes('state') && keys.includes('param_groups');
}

/** Whether a tensor is somewhere in it. Each object is looked at once, so that loops and sharing cost nothing. */
function holdsTensors(value: PickleValue): boolean {
  const seen = new Set<PickleValue>();
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (isTensorCall(next)) return true;
    if (!isDict(next) || seen.has(next)) continue;
    seen.add(next);
    for (const [, item] of dictEntries(next)) if (isPickleObject(item)) pending.push(item);
  }
  return false;
}

interface Flat {
  readonly tensors: Map<string, PickleCall>;
  readonly metadata: Map<string, string>;
  nodes: number;
}

function flatten(dict: PickleDict, flat: Flat, prefix: string, depth: number): void {
  if (depth > MAX_DEPTH) throw torchError(`its dicts are nested more than ${MAX_DEPTH} deep`);
  for (const [key, value] of dictEntries(dict)) {
    if (++flat.nodes > MAX_NODES) throw torchError(`its state dict has more than ${MAX_NODES} entries`);
    if (typeof key !== 'string' && typeof key !== 'number')
      throw torchError(`a key of its state dict is ${kindOfValue(key)}, not a text`);
    const name = prefix + String(key);
    if (name.length > MAX_NAME)
      throw torchError(`a name in its state dict has ${name.length} characters, the limit is ${MAX_NAME}`);
    if (isTensorCall(value)) setOnce(flat.tensors, name, value);
    else if (isDict(value)) flatten(value, flat, `${name}.`, depth + 1);
    else {
      const text = scalarText(value);
      if (text !== undefined) setOnce(flat.metadata, name, text);
    }
  }
}

function setOnce<T>(map: Map<string, T>, name: string, value: T): void {
  if (map.has(name)) throw torchError(`its state dict has ${quote(name)} twice`);
  map.set(name, value);
}

function withoutPrefix(tensors: Map<string, PickleCall>): Map<string, PickleCall> {
  const all = [...tensors.keys()].every((name) => name.startsWith(DATA_PARALLEL));
  if (!all) return tensors;
  return new Map([...tensors].map(([name, call]) => [name.slice(DATA_PARALLEL.length), call]));
}

/** A scalar as text, as of an epoch, a name, a score; undefined for what is none. */
function scalarText(value: PickleValue): string | undefined {
  if (value === null || value instanceof Uint8Array) return undefined;
  if (typeof value !== 'object') return String(value);
  if (value.kind === 'global') return value.name;
  if (!isCall(value)) return undefined;
  if (value.name === 'torch.device') return value.args.map((part) => scalarText(part) ?? '').join(':');
  return value.name.endsWith('.multiarray.scalar') ? numpyScalar(value) : undefined;
}

/** numpy.float64 and the like: scalar(dtype('f8'), bytes), the byte order in the dtype's state. */
function numpyScalar({ args: [dtype, content] }: PickleCall): string | undefined {
  const bytes = rawBytes(content);
  if (!isCall(dtype) || dtype.name !== 'numpy.dtype' || bytes === undefined) return undefined;
  const [code] = dtype.args;
  const order = isSequence(dtype.state) ? dtype.state.items[1] : undefined;
  if (typeof code !== 'string' || Number(code.slice(1)) !== bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = order !== '>';
  switch (code) {
    case 'f8':
      return String(view.getFloat64(0, little));
    case 'f4':
      return String(view.getFloat32(0, little));
    case 'i8':
      return String(view.getBigInt64(0, little));
    case 'i4':
      return String(view.getInt32(0, little));
    case 'b1':
      return String(view.getUint8(0) !== 0);
    default:
      return undefined;
  }
}

/** Bytes, as protocol 3 has them, a Python 2 string, or the text that protocol 2 encodes as latin1. */
function rawBytes(value: PickleValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  const text = isCall(value) && value.name === '_codecs.encode' ? value.args[0] : value;
  if (typeof text !== 'string') return undefined;
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  return latin1(bytes) === text ? bytes : undefined;
}
