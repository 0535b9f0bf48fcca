// A file on a server: by ranges if the server gives them, or else as a whole.

import type { OpenOptions, ReportProgress } from '../options.ts';
import { blobSource, bytesSource, type ByteSource, type NamedSource } from '../source.ts';
import { BLOCK, BlockSource } from './blocks.ts';
import { bodyOf } from './body.ts';
import { openCached } from './cache.ts';
import {
  checkStatus,
  chunksOf,
  discard,
  httpFile,
  nameOf,
  retried,
  TransientError,
  type HttpFile,
} from './request.ts';
import { contentRange, isEncoded, versionOf, type ContentRange } from './version.ts';

/**
 * Opens a file on a server. Throws an Error of one sentence, with URL and status, if it cannot be had, and the signal's reason.
 */
export async function openHttp(
  source: URL | Request,
  { signal, onProgress, cache = false }: OpenOptions,
): Promise<NamedSource> {
  const file = httpFile(source, signal);
  const report: ReportProgress = (progress) => onProgress?.(progress);
  const bytes =
    cache !== false
      ? await openCached(file, cache === 'force', report)
      : ((await retried(() => openRanges(file, report), signal)) ?? (await openWhole(file, report)));
  return { bytes, name: file.name };
}

/** Asks for the first block, to learn the file's size and whether the server gives ranges. Null if it must be asked for the whole file. */
async function openRanges(file: HttpFile, report: ReportProgress): Promise<ByteSource | null> {
  const response = await file.get({ range: `bytes=0-${BLOCK - 1}` });
  if (response.status === 416) {
    discard(response);
    // No range lies within an empty file.
    if (/^\s*bytes\s+\*\/0\s*$/i.test(response.headers.get('content-range') ?? ''))
      return bytesSource(new Uint8Array(0));
    return null;
  }
  checkStatus(file, response);
  if (response.status !== 206) return blobSource(await bodyOf(file, response, report));
  const range = contentRange(response);
  // Hidden from a page of another origin, not known to the server, or compressed: the whole file has none of these troubles.
  if (range?.size == null || isEncoded(response)) {
    discard(response);
    return null;
  }
  const { size } = range;
  const first = await firstBlock(file, response, range, Math.min(BLOCK, size));
  return new BlockSource({ file, size, version: versionOf(response) }, first, report);
}

async function firstBlock(
  file: HttpFile,
  response: Response,
  { begin, end }: ContentRange,
  length: number,
): Promise<Uint8Array> {
  if (begin !== 0 || end !== length) {
    discard(response);
    throw new Error(
      `${file.name}: asked for the first ${BLOCK} bytes, the server sent others (Content-Range: ${response.headers.get('content-range') ?? 'none'})`,
    );
  }
  const block = new Uint8Array(length);
  let filled = 0;
  for await (const chunk of chunksOf(file, response)) {
    if (filled + chunk.length > length)
      throw new Error(`${file.name}: the server sent more than the range that was asked for`);
    block.set(chunk, filled);
    filled += chunk.length;
  }
  if (filled === length) return block;
  throw new TransientError(`${file.name}: the server sent ${filled} of the ${length} bytes of a range`);
}

function openWhole(file: HttpFile, report: ReportProgress): Promise<ByteSource> {
  return retried(async () => {
    const response = await file.get({});
    checkStatus(file, response);
    return blobSource(await bodyOf(file, response, report));
  }, file.signal);
}

/** A Response that somebody else has fetched. Throws an Error of one sentence if it is a failure, or has been read before. */
export async function openResponse(
  response: Response,
  { signal, onProgress }: OpenOptions,
): Promise<NamedSource> {
  const name = response.url === '' ? 'the Response' : nameOf(response.url);
  checkStatus({ name }, response);
  if (response.status === 206) throw new Error(`${name}: the server sent a part of the file (status 206)`);
  if (response.bodyUsed) throw new TypeError(`${name}: its body has been read already: pass a clone()`);
  const body = bodyOf({ name, signal }, response, (progress) => onProgress?.(progress));
  return { bytes: blobSource(await untilAborted(body, signal)), name: '' };
}

/** `work`, or the signal's reason as soon as it aborts: a Response that somebody else fetched knows nothing of the signal. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** The file behind a blob: or data: URL. Throws an Error of one sentence if there is none. */
export async function openLocal(url: string, { signal }: OpenOptions): Promise<NamedSource> {
  try {
    const response = await fetch(url, signal && { signal });
    return { bytes: blobSource(await response.blob()), name: nameOf(url) };
  } catch (error) {
    signal?.throwIfAborted();
    const why = url.startsWith('blob:') ? 'it was revoked, or is of another page' : 'it is not valid';
    throw new Error(`${nameOf(url)} cannot be read: ${why}`, { cause: error });
  }
}
