/*
 * Weights in Keras' files: conv2d_1.., batch_normalization_1.. and dense_1.., each kind numbered in the order in which the net
 * was built, and layers with names of their own.
 *
 *   conv2d/kernel               [kH, kW, in, out]     ->  weight [out, in, kH, kW]
 *   dense/kernel, bias          [in, out]             ->  weight [out, in]
 *   batch_normalization/gamma, beta, moving_mean, moving_variance
 */
import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { renamed, withoutParallel, type NamedTensors } from './names.ts';
import { viewOf } from './views.ts';

/** Names here of a net's layers. */
interface KerasLayers {
  /** Of the numbered layers of each kind, in Keras' order. */
  readonly numbered: Readonly<Partial<Record<'conv2d' | 'batch_normalization' | 'dense', readonly string[]>>>;
  /** Of layers with a name of their own. */
  readonly named?: Readonly<Record<string, string>>;
}

const PATH = /^(?:.*\/)?([^/]+)\/(\w+)$/;
const NUMBERED = /^(conv2d|batch_normalization|dense)(?:_(\d{1,6}))?$/;

const NORM_PARTS: ReadonlyMap<string, string> = new Map([
  ['gamma', 'weight'],
  ['beta', 'bias'],
  ['moving_mean', 'running_mean'],
  ['moving_variance', 'running_var'],
]);

/**
 * The file's tensors under the names of `layers`, in PyTorch's layout. Unknown names stay as they are. Files without Keras' names,
 * as this engine writes them, pass unchanged. Throws an Error if two tensors would get the same name.
 */
export const adaptKeras =
  ({ numbered, named = {} }: KerasLayers) =>
  ({ tensors }: CheckpointFile): NamedTensors => {
    const ownNames = new Map(Object.entries(named));
    const entries = [...tensors].map(([name, tensor]) => {
      const [, layer = '', part = ''] = PATH.exec(name) ?? [];
      const [, kind = '', number = '0'] = NUMBERED.exec(layer) ?? [];
      return { name, tensor, layer, kind: kind as keyof typeof numbered | '', number: Number(number), part };
    });
    if (entries.every(({ kind, layer }) => kind === '' && !ownNames.has(layer)))
      return withoutParallel(tensors);
    // Keras numbers layers through a session, so the first layer of a kind need not have the number 1.
    const first = (kind: string): number =>
      Math.min(...entries.filter((entry) => entry.kind === kind).map(({ number }) => number));
    const names = new Map<string, string>();
    const values = new Map<string, CheckpointTensor>();
    for (const { name, tensor, layer, kind, number, part } of entries) {
      const to = kind === '' ? ownNames.get(layer) : numbered[kind]?.[number - first(kind)];
      const here = to === undefined ? undefined : partName(to, part);
      if (here !== undefined) names.set(name, here);
      values.set(name, here !== undefined && part === 'kernel' ? transposed(tensor) : tensor);
    }
    return renamed(values, (name) => names.get(name) ?? name);
  };

function partName(layer: string, part: string): string | undefined {
  if (part === 'kernel') return `${layer}.weight`;
  if (part === 'bias') return `${layer}.bias`;
  const norm = NORM_PARTS.get(part);
  return norm === undefined ? undefined : `${layer}.${norm}`;
}

function transposed(tensor: CheckpointTensor): CheckpointTensor {
  switch (tensor.shape.length) {
    case 4:
      return viewOf(tensor, { permute: [3, 2, 0, 1] });
    case 2:
      return viewOf(tensor, { permute: [1, 0] });
    default:
      return tensor;
  }
}
