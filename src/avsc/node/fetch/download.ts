// Downloads a large file by HTTP: resumable, and renamed to its final name only when it is complete.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { checkFile, errorCode, makeFolder, readError, storageError } from '../../../node/files.ts';
import { StartOver, TryAgain, requestRest, type Rest } from './request.ts';

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** First digits of the file's SHA-256, in hex. */
  readonly sha256?: string;
  /** `done` of `total` bytes are there (null if the server does not say), of which `start` were there before. */
  readonly onProgress?: (done: number, start: number, total: number | null) => void;
  /** Called with a sentence before every retry. */
  readonly onNote?: (text: string) => void;
  /** Timeout in seconds without a byte, after which a connection counts as dead. Default 30. */
  readonly patience?: number;
  /** Seconds before each retry. Progress by a byte starts the list again. Default 1, 2, 4, 8. */
  readonly pauses?: readonly number[];
}

export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
  /** True if the complete file existed already. */
  readonly wasThere: boolean;
}

/**
 * Downloads `url` to `path` through `path`.part, which is kept when the download stops or fails. The next call resumes it if
 * the server's file has not changed (If-Range). Throws an Error of one sentence if the server cannot be reached or sends
 * something else, a StorageError if the disk is full or not writable, and the signal's reason if it is aborted.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<Downloaded> {
  const { sha256, signal } = options;
  await makeFolder(dirname(path));
  if ((await bytesOf(path)) !== undefined) {
    await checkFile(path);
    const found = await digest(path, signal);
    if (!matches(found, sha256)) throw wrongFile(path, found, sha256, 'remove it');
    return { ...found, wasThere: true };
  }
  const part = `${path}.part`;
  await fetchAll(url, part, options);
  const found = await digest(part, signal);
  if (!matches(found, sha256)) {
    await remove(part);
    throw wrongFile(path, found, sha256, 'fetch it again');
  }
  await rename(part, path).catch((error: unknown) => {
    throw storageError(error, path);
  });
  await rm(stateFile(part), { force: true });
  return { ...found, wasThere: false };
}

/** Retries until the part is complete. */
async function fetchAll(url: string, part: string, options: DownloadOptions): Promise<void> {
  const { signal, pauses = [1, 2, 4, 8], onNote } = options;
  let furthest = (await bytesOf(part)) ?? 0;
  for (let failures = 0; ;) {
    signal.throwIfAborted();
    try {
      await fetchRest(url, part, options);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TryAgain || error instanceof StartOver)) throw error;
      if (error instanceof StartOver) await remove(part);
      const reached = (await bytesOf(part)) ?? 0;
      if (reached > furthest) failures = 0;
      furthest = Math.max(furthest, reached);
      const seconds = pauses[failures++];
      if (seconds === undefined) throw new Error(`${error.message}, ${failures} times`, { cause: error });
      onNote?.(`${error.message}; trying again in ${seconds} s`);
      await pause(seconds * 1000, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** One attempt: requests the rest of the part and appends it. */
async function fetchRest(url: string, part: string, options: DownloadOptions): Promise<void> {
  const state = await readState(part);
  const there = state?.url === url && state.validator !== null ? ((await bytesOf(part)) ?? 0) : 0;
  if (there > 0 && there === state?.total) return;
  const idle = new AbortController();
  const seconds = options.patience ?? 30;
  const dead = new TryAgain(`${new URL(url).host} sent nothing for ${seconds} s`);
  const timer = setTimeout(() => idle.abort(dead), seconds * 1000);
  try {
    const signal = AbortSignal.any([options.signal, idle.signal]);
    const validator = state?.validator ?? null;
    const rest = await requestRest(url, { there, validator, total: state?.total ?? null, signal });
    await writeFile(
      stateFile(part),
      JSON.stringify({ url, validator: rest.validator, total: rest.total }),
    ).catch((error: unknown) => {
      throw storageError(error, part);
    });
    await append(part, rest, options, () => timer.refresh());
  } catch (error) {
    throw idle.signal.aborted ? dead : error;
  } finally {
    clearTimeout(timer);
  }
}

async function append(
  part: string,
  { start, total, chunks }: Rest,
  { onProgress }: DownloadOptions,
  alive: () => void,
): Promise<void> {
  const onDisk = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw storageError(error, part);
    });
  const file = await onDisk(open(part, start === 0 ? 'w' : 'r+'));
  try {
    let at = start;
    onProgress?.(at, start, total);
    for await (const chunk of chunks) {
      alive();
      for (let done = 0; done < chunk.length;) {
        done += (await onDisk(file.write(chunk, done, chunk.length - done, at + done))).bytesWritten;
      }
      at += chunk.length;
      onProgress?.(at, start, total);
    }
    await onDisk(file.sync());
  } finally {
    await file.close();
  }
}

type Digest = Pick<Downloaded, 'bytes' | 'sha256'>;

async function digest(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

const matches = ({ sha256 }: Digest, wanted = ''): boolean => sha256.startsWith(wanted);

const wrongFile = (path: string, { sha256 }: Digest, wanted = '', wayOut: string): Error =>
  new Error(
    `${basename(path)} is damaged or another file, since its SHA-256 is ${sha256} and must begin with ${wanted}: ${wayOut}`,
  );

interface PartState {
  readonly url: string;
  /** Validator for If-Range: the strong ETag or date of this content. */
  readonly validator: string | null;
  readonly total: number | null;
}

const stateFile = (part: string): string => `${part}.json`;

/** State of a part; undefined if it is missing or malformed, in which case the part is useless too. */
async function readState(part: string): Promise<PartState | undefined> {
  try {
    const value = JSON.parse(await readFile(stateFile(part), 'utf8')) as Record<string, unknown> | null;
    const { url, validator, total } = value ?? {};
    if (typeof url !== 'string') return undefined;
    return {
      url,
      validator: typeof validator === 'string' ? validator : null,
      total: typeof total === 'number' ? total : null,
    };
  } catch {
    return undefined;
  }
}

async function remove(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(stateFile(part), { force: true });
}

async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw readError(error, path);
  }
}
