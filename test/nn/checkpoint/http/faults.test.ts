import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nn } from '../../../../src/index.ts';
import { serveFiles, type FileServer, type Served } from '../../../support/file_server.ts';

const { openCheckpoint, writeSafetensors } = nn;

/** 6 MB, of which `tail` lies outside the first requests. */
const file = (fill: number): Uint8Array<ArrayBuffer> =>
  writeSafetensors(
    new Map(
      ['head', 'middle', 'tail'].map((name) => [
        name,
        { shape: [500_000], data: new Float32Array(500_000).fill(fill) },
      ]),
    ),
  );

let server: FileServer;
beforeAll(async () => {
  server = await serveFiles();
});
beforeEach(() => server.reset());
afterAll(() => server.close());

/** Serves a file and opens it. */
function open(served: Partial<Served> = {}, options: nn.OpenOptions = {}): Promise<nn.CheckpointFile> {
  server.files.set('file', { bytes: file(0.5), ...served });
  return openCheckpoint(`${server.url}file`, options);
}

async function check({ tensors }: nn.CheckpointFile): Promise<void> {
  for (const name of ['head', 'middle', 'tail']) {
    const { data } = (await tensors.get(name)?.read()) ?? { data: [] };
    expect(data.length).toBe(500_000);
    expect(data.every((value) => value === 0.5)).toBe(true);
  }
}

/** The message of the error with which `work` fails. */
async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  return error instanceof Error ? error.message : `not an Error: ${String(error)}`;
}

describe('a server', () => {
  it('may give no length', async () => {
    const totals = new Set<number | null>();
    await check(
      await open({ noRanges: true, noLength: true }, { onProgress: ({ total }) => totals.add(total) }),
    );
    expect(totals).toEqual(new Set([null]));
    expect(server.counts().requests).toBe(1);
  });

  it('may compress the whole file, and a range of it is not believed', async () => {
    await check(await open({ gzip: true, noRanges: true }));
    expect(server.counts().statuses).toEqual([200]);
    server.reset();
    await check(await open({ gzip: true }));
    expect(server.counts()).toMatchObject({ statuses: [206, 200], ranges: ['bytes=0-262143', undefined] });
  });

  it('may fail for a moment, before and between ranges', async () => {
    await check(await open({ failures: [503, 429] }));
    const opened = await open();
    server.files.set('file', { bytes: file(0.5), failures: [500, 502] });
    await check(opened);
  });

  it('may cut connections: a range goes on where it ended, a whole file begins anew', async () => {
    await check(await open({ cut: { after: 2 ** 20, times: 5 } }));
    expect(server.counts().bytes).toBeLessThan(6_500_000 + 5 * 2 ** 18);
    await check(await open({ noRanges: true, cut: { after: 2 ** 20, times: 2 } }));
    expect(await failure(open({ noRanges: true, cut: { after: 2 ** 20, times: 9 } }))).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/file: the connection was cut after 1048576 bytes \(.+\)$/,
    );
  });

  it('may have another version of the file in the middle of reading', async () => {
    for (const etag of [undefined, null]) {
      const opened = await open({ ...(etag === null && { etag }) });
      const other = etag === null ? file(0.25).subarray(0, 5_900_000) : file(0.25);
      server.files.set('file', { bytes: other, ...(etag === null && { etag }) });
      const message = await failure(check(opened));
      expect(message).toMatch(/\/file changed while it was read \(.+\): open it again$/);
      expect(message).toContain(etag === null ? 'it had 6000' : 'its ETag was "');
    }
    for (const [etag, why] of [
      [undefined, 'it is another version now'],
      [null, 'it is shorter now'],
    ] as const) {
      const opened = await open({ ...(etag === null && { etag }) });
      server.files.set('file', { bytes: new Uint8Array(10), etag: null });
      expect(await failure(check(opened))).toContain(`changed while it was read (${why})`);
    }
  });

  it('may not send another range than was asked for, nor stop giving ranges', async () => {
    expect(await failure(open({ shift: 5 }))).toMatch(
      /asked for the first 262144 bytes, the server sent others \(Content-Range: bytes 5-262148\/6000\d+\)/,
    );
    const opened = await open();
    server.files.set('file', { bytes: file(0.5), shift: 1 });
    expect(await failure(check(opened))).toMatch(/asked for bytes 262144 to \d+, the server sent others/);
    server.files.set('file', { bytes: file(0.5), noRanges: true });
    expect(await failure(check(opened))).toContain('the server sent the whole file (status 200)');
    server.files.set('file', { bytes: file(0.5), gzip: true });
    expect(await failure(check(opened))).toContain('sent a part of a compressed file (gzip)');
  });

  it('may claim any size: nothing is allocated for it', async () => {
    const huge = 2 ** 50;
    const json = `{"w":{"dtype":"U8","shape":[${huge}],"data_offsets":[0,${huge}]}}`;
    const header = new Uint8Array(2 ** 18).fill(0x20);
    new DataView(header.buffer).setBigUint64(0, BigInt(2 ** 18 - 8), true);
    header.set(new TextEncoder().encode(json), 8);
    const opened = await open({ bytes: header, claim: huge + 2 ** 18 });
    expect(await failure(opened.tensors.get('w')?.readBytes() ?? Promise.resolve())).toMatch(
      /\/file: 1125899906842624 bytes were to be read at once, the most are 8589934592$/,
    );
  });

  it('is named with its status, once for what does not change', async () => {
    const url = `${server.url}none?token=secret`;
    expect(await failure(openCheckpoint(url))).toBe(`${server.url}none: the server answered 404 Not Found`);
    expect(server.counts().requests).toBe(1);
    server.reset();
    expect(await failure(open({ status: 500 }))).toContain('the server answered 500 Internal Server Error');
    expect(server.counts().requests).toBe(4);
    expect(await failure(openCheckpoint('http://127.0.0.1:1/file'))).toMatch(
      /^http:\/\/127\.0\.0\.1:1\/file cannot be fetched: .*ECONNREFUSED|bad port/,
    );
  });

  it('may send something else: the message has the URL', async () => {
    const page = new TextEncoder().encode('<!doctype html><title>Sign in</title>');
    expect(await failure(open({ bytes: page }))).toMatch(/^http:.+\/file: the file is a page of the web/);
    expect(await failure(open({ bytes: new Uint8Array(0) }))).toMatch(/^http:.+\/file: the file is empty/);
  });
});

describe('a signal', () => {
  const reason = new Error('enough');

  it('ends opening and reading at once, with its reason', async () => {
    expect(await failure(open({}, { signal: AbortSignal.abort(reason) }))).toBe('enough');
    expect(server.counts().requests).toBe(0);
    for (const served of [{ stall: true }, { stall: true, noRanges: true }]) {
      const control = new AbortController();
      setTimeout(() => control.abort(reason), 50);
      await expect(open(served, { signal: control.signal })).rejects.toBe(reason);
    }
    const control = new AbortController();
    const opened = await open({}, { signal: control.signal });
    server.files.set('file', { bytes: file(0.5), stall: true });
    const reads = [...opened.tensors.values()].map((tensor) => tensor.read());
    setTimeout(() => control.abort(reason), 50);
    for (const result of await Promise.allSettled(reads))
      expect(result).toEqual({ status: 'rejected', reason });
    await expect(opened.tensors.get('tail')?.read()).rejects.toBe(reason);
  });

  it('ends the pauses between tries', async () => {
    const control = new AbortController();
    setTimeout(() => control.abort(reason), 50);
    await expect(open({ status: 503 }, { signal: control.signal })).rejects.toBe(reason);
  });
});

describe('other sources', () => {
  it('are a Response, a Request, bytes, a Blob, and URLs of blob and data', async () => {
    const bytes = file(0.5);
    server.files.set('file', { bytes });
    const seen: (number | null)[] = [];
    const onProgress = ({ loaded }: nn.Progress): void => void seen.push(loaded);
    await check(await openCheckpoint(await fetch(`${server.url}file`), { onProgress }));
    expect(seen.at(-1)).toBe(bytes.length);
    await check(await openCheckpoint(new Request(`${server.url}file`, { headers: { 'x-key': '1' } })));
    await check(await openCheckpoint(bytes));
    await check(await openCheckpoint(bytes.buffer));
    await check(await openCheckpoint(new Blob([bytes])));
    await check(await openCheckpoint(URL.createObjectURL(new Blob([bytes]))));
    const data = writeSafetensors(new Map([['w', { shape: [1], data: Float32Array.of(2) }]]));
    const { tensors } = await openCheckpoint(
      `data:application/octet-stream;base64,${Buffer.from(data).toString('base64')}`,
    );
    expect(await tensors.get('w')?.read()).toEqual({ shape: [1], data: Float32Array.of(2) });
  });

  it('are refused in one sentence if they are none', async () => {
    const used = await fetch(`${server.url}file`);
    await used.text();
    expect(await failure(openCheckpoint(used))).toContain('its body has been read already: pass a clone()');
    expect(await failure(openCheckpoint(await fetch(`${server.url}none`)))).toContain('answered 404');
    const put = new Request(`${server.url}file`, { method: 'PUT' });
    expect(await failure(openCheckpoint(put))).toBe('openCheckpoint reads by GET, the Request is a PUT');
    expect(await failure(openCheckpoint('ftp://host/file'))).toBe(
      'openCheckpoint reads http, https, blob and data URLs, got one of ftp: ftp://host/file',
    );
    expect(await failure(openCheckpoint('blob:nodedata:none'))).toContain(
      'it was revoked, or is of another page',
    );
    expect(await failure(openCheckpoint(7 as never))).toBe(
      'openCheckpoint takes a URL, a Blob, a Response, an ArrayBuffer, a Uint8Array or a ByteSource, got 7',
    );
    expect(await failure(openCheckpoint(new Uint8Array(4), { cahce: true } as never))).toContain(
      "did you mean 'cache'?",
    );
    expect(await failure(openCheckpoint(new Uint8Array(4), { cache: 'yes' as never }))).toBe(
      "openCheckpoint: cache must be true, false or 'force', got 'yes'",
    );
  });

  it('has no cache to keep a file in here, and opens it all the same', async () => {
    await check(await open({}, { cache: true }));
    expect(await nn.clearCheckpointCache()).toBe(false);
  });
});
