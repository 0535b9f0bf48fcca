// Requests for one file on a server, tried again when the network fails.

import { printable } from '../quote.ts';

/** Tries of one request, and the pause before the second one; later pauses double. */
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 200;
/** Statuses that may be others a moment later: request timeout, too many requests, and failures of a server behind the server. */
const TRANSIENT = [408, 429, 500, 502, 503, 504];
const LONGEST_NAME = 200;

/** An error that may not happen again. */
export class TransientError extends Error {}

/** A file on a server. */
export interface HttpFile {
  readonly url: string;
  /** The URL in messages, without its query, which may hold secrets. */
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  /** True if the page's origin is another one, so that some headers need the server's consent. */
  readonly crossOrigin: boolean;
  /**
   * Sends one GET request. Any status but a transient one is returned. Throws a TransientError of one sentence if there is no answer,
   * and the signal's reason.
   */
  get(headers: Readonly<Record<string, string>>): Promise<Response>;
}

/** The file at an absolute URL, or of a GET Request. Throws a TypeError for another method. */
export function httpFile(source: URL | Request, signal?: AbortSignal): HttpFile {
  if (source instanceof Request && source.method !== 'GET')
    throw new TypeError(`openCheckpoint reads by GET, the Request is a ${source.method}`);
  const url = source instanceof Request ? source.url : source.href;
  const name = nameOf(url);
  const crossOrigin = typeof location === 'object' && new URL(url).origin !== location.origin;
  const get: HttpFile['get'] = async (headers) => {
    const all = new Headers(source instanceof Request ? source.headers : undefined);
    for (const [key, value] of Object.entries(headers)) all.set(key, value);
    const base = source instanceof Request ? source.clone() : url;
    let response: Response;
    try {
      // Answers of the browser's own cache may be of an older version of the file than the rest.
      response = await fetch(base, { headers: all, cache: 'no-store', ...(signal && { signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      const hint = crossOrigin ? ' (is it reachable, and does it allow this page to read it by CORS?)' : '';
      throw new TransientError(`${name} cannot be fetched: ${reasonOf(error)}${hint}`, { cause: error });
    }
    if (!TRANSIENT.includes(response.status)) return response;
    discard(response);
    throw new TransientError(statusMessage(name, response));
  };
  return { url, name, signal, crossOrigin, get };
}

/** A URL for messages: without query and fragment, on one line, truncated if it is long. */
export function nameOf(url: string): string {
  const plain = printable(url.startsWith('data:') ? 'the data: URL' : (url.split(/[?#]/)[0] ?? url));
  return plain.length > LONGEST_NAME ? `${plain.slice(0, LONGEST_NAME)}…` : plain;
}

/** Throws an Error of one sentence, with URL and status, unless the status is one of success. */
export function checkStatus({ name }: Pick<HttpFile, 'name'>, response: Response): void {
  if (response.ok) return;
  discard(response);
  throw new Error(statusMessage(name, response));
}

const statusMessage = (name: string, { status, statusText }: Response): string =>
  `${name}: the server answered ${status}${statusText === '' ? '' : ` ${printable(statusText)}`}`;

/** Runs `work` again after a TransientError, a few times, after a pause. Throws its last error, or the signal's reason. */
export async function retried<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
  attempts = ATTEMPTS,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError) || attempt >= attempts) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
    }
  }
}

/** Resolves after some milliseconds. Rejects with the signal's reason. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Gives up a response whose body is not needed. */
export function discard(response: Response): void {
  // The body of a failed response may have failed itself, which matters to nobody.
  response.body?.cancel().catch(() => undefined);
}

/** The chunks of a body. Throws a TransientError if the connection is cut, and the signal's reason. */
export async function* chunksOf(
  { name, signal }: Pick<HttpFile, 'name' | 'signal'>,
  response: Response,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      received += value.length;
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new TransientError(`${name}: the connection was cut after ${received} bytes (${reasonOf(error)})`, {
      cause: error,
    });
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** What went wrong, which Node keeps in the cause of the error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return printable(cause instanceof Error && cause.message !== '' ? cause.message : error.message);
}
