// A server of files in memory that counts what it is asked for, and misbehaves as it is told.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface Served {
  bytes: Uint8Array;
  /** Answers Range with the whole file. */
  noRanges?: boolean;
  /** Sends no Content-Length. */
  noLength?: boolean;
  /** Compresses whole files and ranges alike. */
  gzip?: boolean;
  /** The ETag; by default a hash of the bytes, null for none. */
  etag?: string | null;
  /** The status of all answers. */
  status?: number;
  /** Statuses of the next answers, each used once. */
  failures?: number[];
  /** Cuts the connection after so many bytes of a body, for so many answers. */
  cut?: { after: number; times: number };
  /** Answers ranges by others, this many bytes further on. */
  shift?: number;
  /** Lets pages of other origins read it: as it is, or with the headers that tell ranges and versions. */
  cors?: 'plain' | 'exposed';
  /** The content type; application/octet-stream by default. Files with another one, those of a page, are not counted. */
  type?: string;
  /** The size that ranges are said to be of. */
  claim?: number;
  /** Sends a first piece of the body and then nothing more. */
  stall?: boolean;
}

interface Counts {
  requests: number;
  /** Of bodies. */
  bytes: number;
  /** Range headers, or none. */
  readonly ranges: (string | undefined)[];
  /** Statuses of the answers. */
  readonly statuses: number[];
}

const noCounts = (): Counts => ({ requests: 0, bytes: 0, ranges: [], statuses: [] });

export interface FileServer {
  readonly url: string;
  readonly files: Map<string, Served>;
  counts(): Counts;
  /** Starts counting anew. */
  reset(): void;
  close(): Promise<void>;
}

export async function serveFiles(files: Readonly<Record<string, Served>> = {}): Promise<FileServer> {
  const served = new Map(Object.entries(files));
  let counts = noCounts();
  const server = createServer((request, response) => {
    const file = served.get((request.url ?? '').slice(1).split('?')[0] ?? '');
    const isCounted = file?.type === undefined;
    if (isCounted) {
      counts.requests++;
      counts.ranges.push(request.headers.range);
    }
    void answer(file, request, response, isCounted ? counts : noCounts());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    files: served,
    counts: () => counts,
    reset: () => (counts = noCounts()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  file: Served | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  counts: Counts,
): Promise<void> {
  const cors: Record<string, string> = {
    ...(file?.cors !== undefined && { 'access-control-allow-origin': '*' }),
    ...(file?.cors === 'exposed' && { 'access-control-expose-headers': 'content-range, etag' }),
  };
  const end = (status: number, headers: Record<string, string | number> = {}): void => {
    counts.statuses.push(status);
    response.writeHead(status, { ...cors, ...headers }).end();
  };
  if (file === undefined) return end(404);
  const failure = file.failures?.shift() ?? file.status;
  if (failure !== undefined) return end(failure);
  const etag =
    file.etag === undefined ? `"${createHash('sha1').update(file.bytes).digest('hex')}"` : file.etag;
  const tag: Record<string, string> = etag === null ? {} : { etag };
  if (etag !== null && request.headers['if-none-match'] === etag) return end(304, tag);
  const size = file.bytes.length;
  const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  const isRange = asked !== null && file.noRanges !== true && (condition === undefined || condition === etag);
  const shift = file.shift ?? 0;
  const from = isRange ? Number(asked[1]) + shift : 0;
  const to = isRange ? Math.min(Number(asked[2]) + 1 + shift, size) : size;
  if (isRange && from >= size) return end(416, { ...tag, 'content-range': `bytes */${size}` });
  const part = file.bytes.subarray(from, to);
  const body = file.gzip === true ? gzipSync(part) : part;
  const status = isRange ? 206 : 200;
  counts.statuses.push(status);
  response.writeHead(status, {
    ...tag,
    ...cors,
    'content-type': file.type ?? 'application/octet-stream',
    ...(file.noLength === true ? {} : { 'content-length': body.length }),
    ...(file.gzip === true ? { 'content-encoding': 'gzip' } : {}),
    ...(isRange ? { 'content-range': `bytes ${from}-${to - 1}/${file.claim ?? size}` } : {}),
  });
  const piece = 2 ** 16;
  for (let at = 0; at < body.length; at += piece) {
    if (file.stall === true && at > 0) return;
    if (file.cut !== undefined && file.cut.times > 0 && at >= file.cut.after) {
      file.cut.times--;
      response.destroy();
      return;
    }
    const chunk = body.subarray(at, at + piece);
    if (response.destroyed) return;
    counts.bytes += chunk.length;
    await new Promise<void>((resolve) => {
      // The client may go away before the chunk is sent.
      const done = (): void => {
        response.off('close', done);
        resolve();
      };
      response.once('close', done);
      response.write(chunk, done);
    });
  }
  response.end();
}
