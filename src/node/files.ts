// Atomic writes, and errors of one sentence.

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The disk is full or not writable. Other files would fail too, so work stops at once. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/**
 * Writes the data (pieces one after another) to a temporary name beside `path`, flushes it to the disk and renames it.
 * Creates the folder if needed. Asynchronous pieces are written as they arrive. Throws a StorageError of one sentence if the
 * disk is full or not writable, and any error of the pieces; in both cases the temporary file is removed and an existing file
 * stays unchanged.
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

/** The name of a file while it is written. The process number keeps two processes apart. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

/** Code of a failed system call, such as ENOENT; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** An error's message on one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, '; ');
}

/** The error of a failed write, in one sentence that says what to do. */
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
