// One HTTP request for a file or the rest of it, with checks of the response.

import { messageOf } from '../../../node/files.ts';

/** A transient failure of the connection or the server. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}

/** The bytes on disk do not match the server's file, so it must be downloaded from the beginning. */
export class StartOver extends Error {
  override readonly name = 'StartOver';
}

interface Request {
  /** Bytes on disk. */
  readonly there: number;
  /** The ETag or date that came with them; null if there was none, in which case `there` must be 0. */
  readonly validator: string | null;
  /** Size of the whole file according to the earlier response. */
  readonly total: number | null;
  readonly signal: AbortSignal;
}

/** A response: the file's bytes from `start` on. */
export interface Rest {
  readonly start: number;
  /** Bytes of the whole file, if the server says. */
  readonly total: number | null;
  readonly validator: string | null;
  /** Throws TryAgain if the body ends too early. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Upper bound on a download, so that a broken server cannot fill the disk. */
const MAX_BYTES = 16 * 2 ** 30;

/** Statuses of transient failures. */
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/** Requests the file from byte `there` on. Throws TryAgain, StartOver, or an Error of one sentence if neither helps. */
export async function requestRest(url: string, request: Request): Promise<Rest> {
  const { there, validator, signal } = request;
  const { host, protocol } = new URL(url);
  // Sizes and ranges of a compressed response would not be those of the file.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (there > 0 && validator !== null) {
    headers['range'] = `bytes=${there}-`;
    headers['if-range'] = validator;
  }
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    throw new TryAgain(`cannot reach ${host} (${reasonOf(error)})`, { cause: error });
  });
  try {
    if (protocol === 'https:' && !response.url.startsWith('https:'))
      throw new Error(`${host} leads from https to ${new URL(response.url).origin}, which anyone may change`);
    return readRest(response, host, request);
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

function readRest(response: Response, host: string, { there, validator, total: known }: Request): Rest {
  const { status, headers, body } = response;
  if (PASSING.includes(status)) throw new TryAgain(`${host} answered with status ${status}`);
  if (status === 416) throw new StartOver(`${host} has no bytes after ${there}`);
  if (status !== 200 && status !== 206) {
    const gone = status === 404 || status === 410 ? ': the file is not there (any more)' : '';
    throw new Error(`${host} answered with status ${status}${gone}`);
  }
  if (/^text\/html\b/i.test(headers.get('content-type') ?? '')) throw notWeights(host);
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity')
    throw new Error(`${host} sends the file compressed (${encoding}) though asked not to`);
  const range = status === 206 ? parseRange(headers.get('content-range') ?? '') : undefined;
  const start = range?.start ?? 0;
  if (status === 206 && start !== there)
    throw new StartOver(`${host} sends other bytes than it was asked for`);
  const now = validatorOf(headers);
  // Some servers ignore If-Range.
  if (start > 0 && now !== null && now !== validator)
    throw new StartOver(`the file at ${host} is another one now`);
  const total = range === undefined ? lengthOf(headers) : range.total;
  if (start > 0 && known !== null && total !== null && total !== known)
    throw new StartOver(`the file at ${host} has ${total} bytes now, it had ${known}`);
  if (total !== null && total > MAX_BYTES)
    throw new Error(`${host} announces ${total} bytes, and no weights are that large`);
  if (body === null) throw new TryAgain(`${host} sent nothing`);
  return {
    start,
    total,
    validator: start > 0 ? (now ?? validator) : now,
    // The reader is taken now, because fetch cancels the body if the response is garbage-collected before.
    chunks: checked(body.values(), start, total, host),
  };
}

/** Passes the chunks on, checking how the file begins and its length. */
async function* checked(
  body: AsyncIterable<Uint8Array>,
  start: number,
  total: number | null,
  host: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = start;
  try {
    for await (const chunk of body) {
      if (at === 0 && looksLikePage(chunk)) throw notWeights(host);
      at += chunk.length;
      if (at > (total ?? MAX_BYTES))
        throw new Error(`${host} sends more bytes than it announced (${total ?? 'none'})`);
      yield chunk;
    }
  } catch (error) {
    // fetch throws a TypeError when a connection breaks.
    if (!(error instanceof TypeError)) throw error;
    throw new TryAgain(endedEarly(host, at, total), { cause: error });
  }
  if (total !== null && at < total) throw new TryAgain(endedEarly(host, at, total));
}

const endedEarly = (host: string, at: number, total: number | null): string =>
  `${host} ended after ${at} ${total === null ? 'bytes' : `of ${total} bytes`}`;

const notWeights = (host: string): Error =>
  new Error(
    `${host} answered with a page of the web instead of the file, as captive portals and moved hosts do`,
  );

const looksLikePage = (chunk: Uint8Array): boolean =>
  /^\s*<(!doctype|html|head|\?xml)/i.test(new TextDecoder('latin1').decode(chunk.subarray(0, 64)));

function parseRange(text: string): { start: number; total: number | null } {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(text) ?? [];
  // -1 never equals the requested start.
  return { start: Number(start ?? -1), total: total === undefined || total === '*' ? null : Number(total) };
}

function lengthOf(headers: Headers): number | null {
  const text = headers.get('content-length');
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/** ETag or date for If-Range. Weak ETags are left out, because they do not promise the same bytes. */
function validatorOf(headers: Headers): string | null {
  const etag = headers.get('etag');
  return etag !== null && !etag.startsWith('W/') ? etag : headers.get('last-modified');
}

/** Reason of a failed fetch. Its own message is only 'fetch failed'; the cause has the code. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return messageOf(cause ?? error);
}
