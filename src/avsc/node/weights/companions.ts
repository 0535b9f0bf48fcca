// Reads the files that published weights need beside them.

import { dirname, join } from 'node:path';
import type { CheckpointTensor } from '../../../nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../../nn/checkpoint/source.ts';
import { errorCode, messageOf, readSmallFile } from '../../../node/files.ts';
import type { Architecture } from '../../weights/architecture.ts';
import { readNpy } from '../../weights/npy.ts';

const MAX_BYTES = 2 ** 26;

/**
 * The architecture's companion files beside the weights, by name, for `importWeights`. A missing file is left out. Throws an
 * Error that names the file if it is malformed.
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

/** Reads a .npy file of at most 64 MB. Throws an Error that names it; its `code` is ENOENT if it does not exist. */
export async function readNpyFile(path: string): Promise<CheckpointTensor> {
  const bytes = await readSmallFile(path, MAX_BYTES);
  try {
    return await readNpy(bytesSource(bytes));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}
