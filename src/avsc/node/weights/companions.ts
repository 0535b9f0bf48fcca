// Files that belong to published weights and lie beside them.

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CheckpointTensor } from '../../../nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../../nn/checkpoint/source.ts';
import { errorCode, messageOf } from '../../../node/files.ts';
import type { Architecture } from '../../weights/architecture.ts';
import { readNpy } from '../../weights/npy.ts';

const MAX_BYTES = 2 ** 26;

/**
 * What lies beside the weights of all that the architecture may need, by name, for `importWeights`; a file that is not
 * there is left out. Throws an Error that names the file if it is not what it should be.
 */
export async function readCompanions(
  { companions }: Architecture,
  weights: string,
): Promise<Map<string, CheckpointTensor>> {
  const found = new Map<string, CheckpointTensor>();
  for (const name of companions) {
    const path = join(dirname(weights), name);
    const tensor = await readNpyFile(path).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (tensor !== null) found.set(name, tensor);
  }
  return found;
}

/** A .npy file of at most 64 MB. Throws an Error that names it; the system's own where it does not exist. */
export async function readNpyFile(path: string): Promise<CheckpointTensor> {
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, at most ${MAX_BYTES} are read`);
  try {
    return await readNpy(bytesSource(await readFile(path)));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}
