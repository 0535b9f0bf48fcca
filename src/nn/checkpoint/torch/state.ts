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
import { quote } from '../quote.ts';
import { isTensorCall, torchError } from './layout.ts';

/** The state dict of a checkpoint: the calls that rebuild its tensors, by name, and the scalars beside them. */
interface TorchState {
  readonly tensors: ReadonlyMap<string, PickleCall>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Keys under which training scripts save a model's state dict, in order of preference. */
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
const MAX_VISITS = 4_000_000;
const MAX_NAME = 1000;
const MAX_SCALAR_BYTES = 8;

/**
 * The state dict in a saved object: the object itself, or the one dict in it that holds tensors. Names of nested dicts are
 * joined by dots, and the prefix `module.` (DataParallel) is removed if all names have it. Throws an Error of one sentence
 * that lists the candidates if there are several, or that names a duplicate.
 */
export function torchState(root: PickleValue): TorchState {
  if (!isDict(root)) {
    const found = isTensorCall(root) ? 'a tensor alone' : kindOfValue(root);
    throw torchError(
      `it holds ${found}, not a state dict: in Python, save torch.save(model.state_dict(), path)`,
    );
  }
  const search: Search = { visits: 0 };
  const { state, around } = chooseState(root, search);
  const tensors = new Map<string, PickleCall>();
  const metadata = new Map<string, string>();
  flatten(state, { tensors, metadata, nodes: 0 }, '', 0);
  for (const [key, value] of around === undefined ? [] : dictEntries(around)) {
    const text = value === state ? undefined : besideText(value, search);
    if (typeof key === 'string' && text !== undefined && !metadata.has(key)) metadata.set(key, text);
  }
  return { tensors: withoutPrefix(tensors), metadata };
}

/** Metadata text of a value beside the state dict: a scalar, or a note about tensors, which are not read. */
function besideText(value: PickleValue, search: Search): string | undefined {
  if (isTensorCall(value)) return 'left out: a tensor';
  return holdsTensors(value, search) ? 'left out: a dict with tensors' : scalarText(value);
}

function chooseState(
  root: PickleDict,
  search: Search,
): { state: PickleDict; around: PickleDict | undefined } {
  const entries = [...dictEntries(root)];
  const holders = entries.flatMap(([key, value]) =>
    isDict(value) && !isOptimizer(value, search) && holdsTensors(value, search)
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

/** State of a search. It counts visits, because a few shared dicts can be reached along very many paths. */
interface Search {
  visits: number;
}

function visit(search: Search): void {
  if (++search.visits > MAX_VISITS) throw torchError('its dicts share each other too often to be weights');
}

/** True if a dict is the state of an optimizer, which holds no weights. */
function isOptimizer(dict: PickleDict, search: Search): boolean {
  const keys = new Set<PickleValue>();
  for (const [key] of dictEntries(dict)) {
    visit(search);
    keys.add(key);
  }
  return keys.has('state') && keys.has('param_groups');
}

/** True if the value contains a tensor. Each dict is visited once, so cycles end. */
function holdsTensors(value: PickleValue, search: Search): boolean {
  const seen = new Set<PickleValue>();
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (isTensorCall(next)) return true;
    if (!isDict(next) || seen.has(next)) continue;
    seen.add(next);
    for (const [, item] of dictEntries(next)) {
      visit(search);
      if (isPickleObject(item)) pending.push(item);
    }
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

/** A scalar as text, such as an epoch, a name or a metric; undefined for other values. */
function scalarText(value: PickleValue): string | undefined {
  if (value === null || value instanceof Uint8Array) return undefined;
  if (typeof value !== 'object') return String(value);
  if (value.kind === 'global') return value.name;
  if (!isCall(value)) return undefined;
  // ('cuda', 0)
  if (value.name === 'torch.device') return value.args.slice(0, 2).filter(isPlain).join(':');
  return value.name.endsWith('.multiarray.scalar') ? numpyScalar(value) : undefined;
}

const isPlain = (value: PickleValue): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

/** A NumPy scalar such as numpy.float64, saved as scalar(dtype('f8'), bytes) with the byte order in the dtype's state. */
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

/** The bytes of a value: bytes of protocol 3, a Python 2 string, or the latin1 text of protocol 2. */
function rawBytes(value: PickleValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  const text = isCall(value) && value.name === '_codecs.encode' ? value.args[0] : value;
  if (typeof text !== 'string' || text.length > MAX_SCALAR_BYTES) return undefined;
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  return latin1(bytes) === text ? bytes : undefined;
}
