// Opens checkpoint files of any format.

import type { CheckpointFile } from '../../../nn/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../../nn/checkpoint/open.ts';
import { openFileSource } from '../../../node/file-source.ts';
import { messageOf } from '../../../node/files.ts';

/**
 * Opens a checkpoint, calls `work` with it and closes it. Errors of opening, of reading and of `work` name the file.
 */
export async function withCheckpoint<T>(
  path: string,
  work: (file: CheckpointFile, bytes: number) => Promise<T>,
): Promise<T> {
  const source = await openFileSource(path);
  try {
    return await work(await openCheckpoint(source), source.size);
  } catch (error) {
    // StorageError, Interrupted and UsageError are not about the file, so they pass unchanged.
    const isOther = error instanceof Error && !['Error', 'RangeError', 'TypeError'].includes(error.name);
    const message = messageOf(error);
    if (isOther || message.includes(path)) throw error;
    throw new Error(`${path}: ${message}`, { cause: error });
  } finally {
    await source.close();
  }
}
