// Writing files whole or not at all, and saying in one sentence why it failed.

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The disk or its permissions refuse: no other file would fare better, so work stops at once. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/**
 * Writes the data (pieces one after another) to a temporary name beside `path`, flushes it to the disk and renames it;
 * makes the folder if needed. Pieces that come over time are written as they come. Throws a StorageError of one sentence when
 * the disk is full or does not allow it, and whatever making the pieces throws; nothing is left behind, and what had the name
 * before is untouched.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>,
): Promise<void> {
  const pieces = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
  const temporary = temporaryName(path);
  const onDisk = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => Promise.reject(storageError(error, path)));
  try {
    await onDisk(mkdir(dirname(path), { recursive: true }));
    const file = await onDisk(open(temporary, 'w'));
    try {
      for await (const piece of pieces) await onDisk(file.writeFile(piece));
      await onDisk(file.sync());
    } finally {
      await file.close();
    }
    await onDisk(rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The name a file has while it is written; the process number keeps two runs apart. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

/** Code of a failed system call, as ENOENT; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says, on one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, '; ');
}

/** A failed write in one sentence that says what to do. */
export function storageError(error: unknown, path: string): StorageError {
  const code = errorCode(error);
  const reason =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? `the disk that holds ${dirname(path)} is full: free some space there or choose another folder, then run it again`
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? `cannot write ${path}: no permission (${code}); choose another folder`
        : `cannot write ${path}: ${messageOf(error)}`;
  return new StorageError(reason, { cause: error });
}
