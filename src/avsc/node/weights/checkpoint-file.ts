// Checkpoints of any format on the disk.

import type { CheckpointFile } from '../../../nn/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../../nn/checkpoint/open.ts';
import { openFileSource } from '../../../node/file-source.ts';
import { messageOf } from '../../../node/files.ts';

/**
 * Opens a checkpoint, lets `work` read of it what it wants, and closes it. Errors name the file: those of opening it, of
 * what it is, and of `work`.
 */
export async function withCheckpoint<T>(
  path: string,
  work: (file: CheckpointFile, bytes: number) => Promise<T>,
): Promise<T> {
  const source = await openFileSource(path);
  try {
    return await work(await openCheckpoint(source), source.size);
  } catch (error) {
    // A full disk, a stop by the user and wrong options are not the file's fault.
    const isOther = error instanceof Error && !['Error', 'RangeError', 'TypeError'].includes(error.name);
    const message = messageOf(error);
    if (isOther || message.includes(path)) throw error;
    throw new Error(`${path}: ${message}`, { cause: error });
  } finally {
    await source.close();
  }
}
