// Checks of files to read, atomic writes, and errors of one sentence.

import type { Stats } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { printable } from '../nn/checkpoint/quote.ts';

/** The disk is full or not writable. Other files would fail too, so work stops at once. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** A file cannot be read. `code` is that of the system call, such as ENOENT; undefined if the path is something else than a file. */
class ReadError extends Error {
  readonly code: string | undefined;

  constructor(path: string, problem: string, cause?: unknown) {
    super(`${path === '' ? 'the empty path' : printable(path)} ${problem}`, { cause });
    this.code = errorCode(cause);
  }
}

/**
 * The status of a regular file, or of a link to one. Throws an Error of one sentence, beginning with the path, if there is none
 * or it is something else: a directory, a pipe, a socket or a device. Opens nothing, because opening a pipe waits for its other end.
 */
export async function checkFile(path: string): Promise<Stats> {
  const found = await stat(path).catch((error: unknown) => Promise.reject(readError(error, path)));
  if (found.isFile()) return found;
  throw new ReadError(path, `is ${kindOf(found)}, not a file`);
}

/** Reads a file of at most `most` bytes. Throws an Error of one sentence, beginning with the path. */
export async function readSmallFile(path: string, most: number): Promise<Buffer<ArrayBuffer>> {
  const { size } = await checkFile(path);
  if (size > most) throw new ReadError(path, `has ${size} bytes, at most ${most} are read`);
  return readFile(path).catch((error: unknown) => Promise.reject(readError(error, path)));
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return 'a directory';
  if (found.isFIFO()) return 'a pipe';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}

/** The error of a file that cannot be opened or read: one sentence that begins with the path. Its `code` is that of `error`. */
export function readError(error: unknown, path: string): Error {
  const problem = READ_PROBLEMS[errorCode(error) ?? ''] ?? `cannot be read: ${messageOf(error)}`;
  return new ReadError(path, problem, error);
}

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of the path is a file, not a directory',
  EISDIR: 'is a directory, not a file',
  EACCES: 'cannot be read: no permission',
  EPERM: 'cannot be read: no permission',
  ELOOP: 'cannot be read: its symbolic links lead in a circle',
  ENAMETOOLONG: 'cannot be read: the name is too long',
  ERR_INVALID_ARG_VALUE: 'cannot be read: the name contains a NUL byte',
  EMFILE: 'cannot be read: too many files are open (see ulimit -n)',
  EIO: 'cannot be read: the disk reports an error (EIO)',
};

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
