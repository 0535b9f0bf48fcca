// Ranges of a file on a server, each by one request.

import { checkStatus, chunksOf, discard, TransientError, type HttpFile } from './request.ts';
import { contentRange, difference, ifRange, isEncoded, isSame, versionOf, type Version } from './version.ts';

/** A file whose server gives ranges. */
export interface RangeFile {
  readonly file: HttpFile;
  readonly size: number;
  readonly version: Version;
}

/**
 * The bytes [begin, end) in chunks. Throws an Error of one sentence if the file has changed or the answer is of another range, a
 * TransientError if the connection is cut, and the signal's reason.
 */
export async function* rangeChunks(
  { file, size, version }: RangeFile,
  begin: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const condition = ifRange(file, version);
  const response = await file.get({ range: `bytes=${begin}-${end - 1}`, ...condition });
  const changed = changeOf(response, version, size, 'if-range' in condition);
  if (changed !== null) {
    discard(response);
    throw new Error(`${file.name} changed while it was read (${changed}): open it again`);
  }
  checkStatus(file, response);
  checkRangeAnswer(file, response, begin, end);
  let received = 0;
  for await (const chunk of chunksOf(file, response)) {
    received += chunk.length;
    if (received > end - begin)
      throw new Error(`${file.name}: the server sent more than the range that was asked for`);
    yield chunk;
  }
  if (received < end - begin)
    throw new TransientError(
      `${file.name}: the server sent ${received} of the ${end - begin} bytes that were asked for`,
    );
}

/** What shows that the file is another one now; null if nothing does. `asked`: a range was asked for only if the version is the same. */
function changeOf(response: Response, version: Version, size: number, asked: boolean): string | null {
  if (![200, 206, 416].includes(response.status)) return null;
  const answered = versionOf(response);
  const change = difference(version, answered);
  if (change !== null) return change;
  if (response.status === 200 && asked && !isSame(version, answered)) return 'it is another version now';
  const now = contentRange(response)?.size ?? null;
  if (response.status === 206 && now !== null && now !== size) return `it had ${size} bytes and has ${now}`;
  return response.status === 416 ? 'it is shorter now' : null;
}

function checkRangeAnswer(file: HttpFile, response: Response, begin: number, end: number): void {
  const refused = (why: string): Error => {
    discard(response);
    return new Error(`${file.name}: asked for bytes ${begin} to ${end - 1}, the server ${why}`);
  };
  if (response.status !== 206) throw refused(`sent the whole file (status ${response.status})`);
  if (isEncoded(response))
    throw refused(`sent a part of a compressed file (${response.headers.get('content-encoding') ?? ''})`);
  const range = contentRange(response);
  if (range?.begin !== begin || range.end !== end)
    throw refused(`sent others (Content-Range: ${response.headers.get('content-range') ?? 'none'})`);
}
