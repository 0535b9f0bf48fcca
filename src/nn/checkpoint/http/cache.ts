// Whole files of servers, kept in the browser's Cache API between visits.

import type { ReportProgress } from '../options.ts';
import { blobSource, type ByteSource } from '../source.ts';
import { bodyOf } from './body.ts';
import { CACHE_NAME } from './clear.ts';
import { checkStatus, discard, retried, TransientError, type HttpFile } from './request.ts';
import { isSame, versionOf, type Version } from './version.ts';

/**
 * Opens a file that is kept, if the server says that it has not changed, or else all of the server's, and keeps that. `unasked`: what is
 * kept is opened without asking the server. It is opened too if the server cannot be reached. A file that cannot be kept, for want of room
 * or of a Cache API, is opened all the same. Throws an Error of one sentence, or the signal's reason.
 */
export async function openCached(
  file: HttpFile,
  unasked: boolean,
  report: ReportProgress,
): Promise<ByteSource> {
  const store = await openStore();
  const kept = await store?.match(file.url);
  const openKept = async (found: Response): Promise<ByteSource> => {
    const source = blobSource(await found.blob());
    report({ loaded: source.size, total: source.size });
    return source;
  };
  if (kept !== undefined && unasked) return openKept(kept);
  const download = async (): Promise<{ readonly blob: Blob; readonly version: Version } | null> => {
    const response = await file.get(kept === undefined ? {} : conditions(file, versionOf(kept)));
    if (kept !== undefined) {
      const unchanged = response.status === 304 || (response.ok && isUnchanged(kept, response));
      if (unchanged) {
        discard(response);
        return null;
      }
    }
    checkStatus(file, response);
    return { blob: await bodyOf(file, response, report), version: versionOf(response) };
  };
  try {
    const found = await retried(download, file.signal, kept === undefined ? undefined : 1);
    if (found === null) return await openKept(kept as Response);
    await keep(store, file.url, found.blob, found.version);
    return blobSource(found.blob);
  } catch (error) {
    if (kept === undefined || !(error instanceof TransientError)) throw error;
    return openKept(kept);
  }
}

/** Null where there is no Cache API (Node, pages without https) or it is switched off. */
async function openStore(): Promise<Cache | null> {
  return typeof caches === 'undefined' ? null : caches.open(CACHE_NAME).catch(() => null);
}

/** Headers by which a server answers without a body if the file is still of this version. */
function conditions(
  { crossOrigin }: HttpFile,
  { etag, lastModified }: Version,
): Readonly<Record<string, string>> {
  // From another origin they would cost a preflight request, which many servers refuse. The answer's headers say as much.
  if (crossOrigin) return {};
  return {
    ...(etag !== null && { 'if-none-match': etag }),
    ...(lastModified !== null && { 'if-modified-since': lastModified }),
  };
}

/** True if an answer's headers say that its body is the one that is kept. */
function isUnchanged(kept: Response, now: Response): boolean {
  const [before, after] = [kept.headers.get('content-length'), now.headers.get('content-length')];
  const sameLength =
    before === null || after === null || now.headers.has('content-encoding') || before === after;
  return sameLength && isSame(versionOf(kept), versionOf(now));
}

async function keep(
  store: Cache | null,
  url: string,
  blob: Blob,
  { etag, lastModified }: Version,
): Promise<void> {
  const headers = new Headers({ 'content-length': String(blob.size) });
  if (etag !== null) headers.set('etag', etag);
  if (lastModified !== null) headers.set('last-modified', lastModified);
  try {
    // The older version first, which leaves room for this one.
    await store?.delete(url);
    await store?.put(url, new Response(blob, { headers }));
  } catch {
    // No room: the next visit downloads the file again.
  }
}
