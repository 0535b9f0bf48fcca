/*
 * The FCNN's weights in the Keras files of its authors: conv2d_1.., batch_normalization_1.. and dense_1.., each numbered in
 * the order in which the net uses them.
 *
 *   conv2d/kernel               [kH, kW, in, out]     ->  weight [out, in, kH, kW]
 *   dense/kernel, bias          [in, out]             ->  weight [out, in]
 *   batch_normalization/gamma, beta, moving_mean, moving_variance   (the last two norms have no gamma and beta)
 */
import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { withoutParallel, type NamedTensors } from './names.ts';
import { viewOf } from './views.ts';

const NAME = /^(?:.*\/)?(conv2d|batch_normalization|dense)(?:_(\d+))?\/(\w+)$/;

const NORM_PARTS: Readonly<Record<string, string>> = {
  gamma: 'weight',
  beta: 'bias',
  moving_mean: 'running_mean',
  moving_variance: 'running_var',
};

/** The file's tensors for an `Fcnn` with `block3Convs` convolutions in block 3. Files written by this engine pass unchanged. */
export const adaptFcnn =
  (block3Convs: number) =>
  ({ tensors }: CheckpointFile): NamedTensors => {
    const entries = [...tensors].map(([name, tensor]) => {
      const [, kind = '', number = '0', part = ''] = NAME.exec(name) ?? [];
      return { name, tensor, kind, number: Number(number), part };
    });
    if (entries.every(({ kind }) => kind === '')) return withoutParallel(tensors);
    const layers = layerNames(block3Convs);
    // Keras numbers layers through a session, so the first layer of a kind need not have the number 1.
    const first = (kind: string): number =>
      Math.min(...entries.filter((entry) => entry.kind === kind).map(({ number }) => number));
    return new Map(
      entries.map(({ name, tensor, kind, number, part }) => {
        const layer = layers[kind]?.[number - first(kind)];
        return layer === undefined ? [name, tensor] : adaptPart(name, tensor, layer, part);
      }),
    );
  };

function adaptPart(
  name: string,
  tensor: CheckpointTensor,
  layer: string,
  part: string,
): [string, CheckpointTensor] {
  if (part === 'kernel') return [`${layer}.weight`, transposed(tensor)];
  if (part === 'bias') return [`${layer}.bias`, tensor];
  const norm = NORM_PARTS[part];
  return norm === undefined ? [name, tensor] : [`${layer}.${norm}`, tensor];
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

/** The engine's names of Keras' layers of each kind, in Keras' order. */
function layerNames(block3Convs: number): Readonly<Record<string, readonly string[]>> {
  const stages = [2, 2, block3Convs, 1].flatMap((count, block) =>
    Array.from({ length: count }, (_, i) => ({ block: `block${block + 1}`, number: i + 1 })),
  );
  return {
    conv2d: stages.map(({ block, number }) => `${block}.conv${number}`),
    batch_normalization: [
      'norm0',
      ...stages.map(({ block, number }) => `${block}.norm${number}`),
      'norm_out',
    ],
    dense: ['attention.fc1', 'attention.fc2'],
  };
}
