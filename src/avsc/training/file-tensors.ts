// The tensors of a model in a file of weights.

import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { formatShape, sameShape } from '../../tensor/graph/shape.ts';

/**
 * The tensors that a model wants, by its own names, of a file in which they begin with `prefix`. Nothing is read. Throws an Error of one
 * sentence if one is missing or has another shape.
 */
export function wantedTensors(
  tensors: CheckpointFile['tensors'],
  expected: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  prefix: string,
  id: string,
): [string, CheckpointTensor][] {
  return [...expected].map(([name, { shape }]) => {
    const tensor = tensors.get(prefix + name);
    if (tensor === undefined)
      throw new Error(`the file is not of the ${id} model that it says it is: it lacks ${prefix}${name}`);
    if (!sameShape(tensor.shape, shape))
      throw new Error(
        `the file is not of the ${id} model that it says it is: ${prefix}${name} is ${formatShape(tensor.shape)}, it must be ${formatShape(shape)}`,
      );
    return [name, tensor];
  });
}
