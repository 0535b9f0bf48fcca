// Checks of files to read, atomic writes, and errors of one sentence.

import { constants, type Stats } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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
 * Makes the folder and those above it that do not exist. Throws a StorageError of one sentence. It stands in for Node's recursive
 * mkdir, which never returns for a folder below /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have been faster.
    if (await isFolder(path)) return;
    throw failedWrite(`cannot make the folder ${path}`, error, path);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Writes the data (pieces one after another) to a temporary name beside `path`, flushes it to the disk and renames it.
 * Creates the folder if needed. Asynchronous pieces are written as they arrive. Throws a StorageError of one sentence if the
 * disk is full or not writable or `path` is something else than a file, and any error of the pieces; in all cases the temporary file
 * is removed and what was there stays unchanged.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>,
): Promise<void> {
  const pieces = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
  const temporary = temporaryName(path);
  const onDisk = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => Promise.reject(storageError(error, path)));
  await makeFolder(dirname(path));
  await checkReplaceable(path);
  try {
    const file = await onDisk(open(temporary, 'w'));
    try {
      for await (const piece of pieces) await onDisk(file.writeFile(piece));
      await onDisk(file.sync());
    } finally {
      await onDisk(file.close());
    }
    await onDisk(rename(temporary, path));
  } catch (error) {
    // The error is what matters, not that its remains may be out of reach as well.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A rename replaces whatever has the name, even /dev/null. */
async function checkReplaceable(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there === undefined || there.isFile()) return;
  throw new StorageError(`cannot write ${path}: it is ${kindOf(there)}: name a file`);
}

/** Throws a StorageError before long work whose result `writeFileAtomic` could not write. Makes nothing. */
export async function checkOutput(path: string): Promise<void> {
  await checkReplaceable(path);
  await checkFolder(dirname(path), path);
}

/** Checks the first of the folder and those above it that is there. */
async function checkFolder(folder: string, path: string): Promise<void> {
  try {
    await access(`${folder}/`, constants.W_OK);
  } catch (error) {
    const above = dirname(folder);
    if (errorCode(error) !== 'ENOENT' || above === folder)
      throw storageError(error, join(folder, basename(path)));
    await checkFolder(above, path);
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

/** The error of a failed write, in one sentence that says what to do. A StorageError stays as it is. */
export function storageError(error: unknown, path: string): StorageError {
  if (error instanceof StorageError) return error;
  return failedWrite(`cannot write ${path}`, error, path);
}

function failedWrite(what: string, error: unknown, path: string): StorageError {
  const problem = writeProblem(error, path);
  const full = ['ENOSPC', 'EDQUOT'].includes(errorCode(error) ?? '');
  return new StorageError(full ? problem : `${what}: ${problem}`, { cause: error });
}

function writeProblem(error: unknown, path: string): string {
  const folder = dirname(path);
  const code = errorCode(error);
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `the disk that holds ${folder} is full: free some space there or choose another folder, then run it again`;
    case 'EACCES':
    case 'EPERM':
      return `no permission to write in ${folder} (${code}): choose another folder`;
    case 'EROFS':
      return `${folder} is on a read-only disk (${code}): choose another folder`;
    case 'ENOENT':
      return `nothing can be made in ${folder} (${code}): choose another folder`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `a part of the path is a file, not a folder (${code}): choose another folder`;
    case 'ENAMETOOLONG':
      return `the name is too long (${code}): choose a shorter one`;
    case 'EFBIG':
      return `the file would be larger than allowed (${code}, see ulimit -f)`;
    case undefined:
    default:
      return messageOf(error);
  }
}
