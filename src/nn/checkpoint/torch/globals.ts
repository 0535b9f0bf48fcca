import type { FileDType } from '../elements.ts';
import type { GlobalKind, PickleRules } from './pickle_machine.ts';
import { quote } from '../quote.ts';

/** Element types of the storage classes. An untyped storage holds bytes. */
const STORAGES: Readonly<Record<string, FileDType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'U8',
  _UntypedStorage: 'U8',
};

const DTYPES: Readonly<Record<string, FileDType>> = {
  'torch.float64': 'F64',
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint32': 'U32',
  'torch.uint16': 'U16',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL',
};

const DICTS = ['collections.OrderedDict', 'collections.Counter'];
const SETS = ['builtins.set', 'builtins.frozenset', '__builtin__.set', '__builtin__.frozenset'];
const CONSTANTS = ['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.complex64', 'torch.complex128'];

/** Functions whose calls are recorded; layout.ts interprets those that rebuild tensors. */
const FUNCTIONS = [
  'torch._utils._rebuild_tensor',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'torch._tensor._rebuild_from_type_v2',
  'torch.device',
  // Metrics that training scripts save beside the weights.
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.dtype',
  '_codecs.encode',
];

const KINDS: ReadonlyMap<string, GlobalKind> = new Map([
  ...DICTS.map((name) => [name, 'dict'] as const),
  ...SETS.map((name) => [name, 'set'] as const),
  ...CONSTANTS.map((name) => [name, 'constant'] as const),
  ...Object.keys(DTYPES).map((name) => [name, 'constant'] as const),
  ...FUNCTIONS.map((name) => [name, 'function'] as const),
  ['torch.Size', 'tuple'] as const,
]);

/** Element type of a storage class, by its full name; undefined for other names. */
export function storageDType(name: string): FileDType | undefined {
  const short = /^torch\.(?:cuda\.|storage\.)?(\w+)$/.exec(name)?.[1];
  return short !== undefined && Object.hasOwn(STORAGES, short) ? STORAGES[short] : undefined;
}

export const torchDType = (name: string): FileDType | undefined =>
  Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;

const INSTEAD = 'in Python, torch.save(model.state_dict(), path) makes a file that can be read';

/** The only names that a checkpoint may use. */
export const TORCH_RULES: PickleRules = {
  kindOf: (name) => KINDS.get(name) ?? (storageDType(name) === undefined ? undefined : 'constant'),
  refusal: (name) => {
    const shown = /^[\w.]{1,100}$/.test(name) ? name : quote(name);
    if (/^(?:torch\.nn\.(?:modules|parallel)|torchvision\.models)\./.test(name))
      return `the file is a whole pickled module of class ${shown}, whose code would have to run; ${INSTEAD}`;
    if (/^torch\..*Storage$/.test(name)) return `elements of ${shown} are not supported; ${INSTEAD}`;
    return `it names ${shown}, which weights do not need and which is never run; ${INSTEAD}`;
  },
};
