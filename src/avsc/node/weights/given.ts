// Reads published weights for a run's extractor from a checkpoint of any format.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { checkFile, readError } from '../../../node/files.ts';
import type { ArchitectureName } from '../../weights/architecture.ts';
import { findArchitecture } from '../../weights/architectures.ts';
import { importWeights, readStateDict, type ImportReport } from '../../weights/import.ts';
import { withCheckpoint } from './checkpoint-file.ts';
import { readCompanions } from './companions.ts';

interface GivenWeights {
  /** Absolute path of the file and its SHA-256 in hex. */
  readonly source: { readonly file: string; readonly sha256: string };
  readonly report: ImportReport;
  /** Weights under the names of the architecture's extractor. */
  readonly state: StateDict;
}

/**
 * Weights for an architecture's extractor; the head is left out, whatever its number of classes. Throws one sentence that
 * names the file if it cannot be read or is of another net.
 */
export async function readGivenWeights(
  name: ArchitectureName,
  path: string,
  options: unknown = null,
): Promise<GivenWeights> {
  const architecture = findArchitecture(name);
  return withCheckpoint(path, async (checkpoint) => {
    const companions = await readCompanions(architecture, path);
    const { report, tensors } = importWeights(checkpoint, architecture, {
      dropHead: true,
      companions,
      ...(options !== null && { options }),
    });
    const state = await readStateDict(tensors);
    return { source: { file: resolve(path), sha256: await sha256Of(path) }, report, state };
  });
}

/** Size of the one buffer for hashing. A stream would allocate as many bytes as the file has. */
const HASH_BYTES = 2 ** 20;

/** SHA-256 of a file in hex. Throws one sentence that names it if it cannot be read. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(HASH_BYTES);
  await checkFile(path);
  try {
    const file = await open(path);
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) return hash.digest('hex');
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readError(error, path);
  }
}
