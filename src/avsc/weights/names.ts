import type { CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { quote } from '../../nn/checkpoint/quote.ts';

/** Tensors of a checkpoint by name. @inline */
export type NamedTensors = ReadonlyMap<string, CheckpointTensor>;

const PARALLEL = 'module.';

/** Removes the prefix of PyTorch's DataParallel if all names have it. */
export function withoutParallel(tensors: NamedTensors): NamedTensors {
  if (![...tensors.keys()].every((name) => name.startsWith(PARALLEL))) return tensors;
  return renamed(tensors, (name) => name.slice(PARALLEL.length));
}

/** The tensors under new names. Throws an Error if two would get the same name. */
export function renamed(tensors: NamedTensors, rename: (name: string) => string): NamedTensors {
  const result = new Map<string, CheckpointTensor>();
  for (const [name, tensor] of tensors) {
    const to = rename(name);
    if (result.has(to))
      throw new Error(
        `the file holds two tensors that are ${shownName(to)} here, one of them as ${shownName(name)}`,
      );
    result.set(to, tensor);
  }
  return result;
}

/** A name for an error message: as it is, or quoted if it has unusual characters or is long. */
export const shownName = (name: string): string => (/^[\w.:/-]{1,80}$/.test(name) ? name : quote(name));
