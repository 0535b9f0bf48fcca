// Reads the files that published weights need beside them.

import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CheckpointTensor } from '../../../nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../../nn/checkpoint/source.ts';
import { errorCode, messageOf } from '../../../node/files.ts';
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

/** Reads a .npy file of at most 64 MB. Throws an Error that names it, or the system's own error if it does not exist. */
export async function readNpyFile(path: string): Promise<CheckpointTensor> {
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes, at most ${MAX_BYTES} are read`);
  try {
    return await readNpy(bytesSource(await readFile(path)));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}
