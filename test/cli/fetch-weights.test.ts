import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/avsc/node/fetch/download.ts';
import { hashValues } from '../support/hash.ts';
import { start, wavelight } from './wavelight.ts';

/* A server of this machine that does all that servers do wrong. */
const FILE = Buffer.from(hashValues('weights', 100_000, 'uniform').buffer as ArrayBuffer);
const SHA256 = createHash('sha256').update(FILE).digest('hex');
const ETAG = '"first"';

type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let server: Server;
let answer: Answer;
/** What was asked for: the Range header of each request. */
let asked: (string | undefined)[];
let folder = '';
let base = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(request, response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-fetch-'));
  asked = [];
  answer = serve();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a client has not read when its connection breaks is lost to it: the tests count on all of it. */
async function destroyOnceKept(response: ServerResponse, bytes: number): Promise<void> {
  const kept = () =>
    stat(join(folder, 'file.pth.part')).then(
      ({ size }) => size,
      () => 0,
    );
  while (!response.destroyed && (await kept()) < bytes)
    await new Promise((resolve) => setTimeout(resolve, 5));
  response.destroy();
}

/** A good server: ranges, If-Range, ETag. `drop` closes the connection after so many bytes of a reply. */
function serve({ etag = ETAG, drop = Infinity, file = FILE } = {}): Answer {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const same = request.headers['if-range'] === etag;
    const from = range !== null && same ? Number(range[1]) : 0;
    if (from >= file.length) {
      response.writeHead(416).end();
      return;
    }
    const partial = from > 0 ? { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` } : {};
    const length = { 'content-length': String(file.length - from) };
    response.writeHead(from > 0 ? 206 : 200, { etag, ...length, ...partial });
    if (from + drop >= file.length) response.end(file.subarray(from));
    else response.write(file.subarray(from, from + drop), () => void destroyOnceKept(response, from + drop));
  };
}

const options = (more: Partial<DownloadOptions> = {}): DownloadOptions => ({
  signal: new AbortController().signal,
  pauses: [0, 0.01, 0.01],
  ...more,
});

const fetched = (more: Partial<DownloadOptions> = {}) =>
  download(`${base}/file.pth`, join(folder, 'file.pth'), options(more));

/** The file is whole and alone. */
async function expectWhole(): Promise<void> {
  expect(await readdir(folder)).toEqual(['file.pth']);
  expect(FILE.equals(await readFile(join(folder, 'file.pth')))).toBe(true);
}

describe('download', () => {
  it('fetches, counts, and does not fetch again', async () => {
    const seen: number[] = [];
    const done = await fetched({ sha256: SHA256.slice(0, 8), onProgress: (bytes) => seen.push(bytes) });
    expect(done).toEqual({ bytes: FILE.length, sha256: SHA256, wasThere: false });
    expect([seen[0], seen.at(-1)]).toEqual([0, FILE.length]);
    await expectWhole();
    expect(await fetched()).toEqual({ bytes: FILE.length, sha256: SHA256, wasThere: true });
    expect(asked).toEqual([undefined]);
  });

  it('goes on where a connection broke, as often as bytes come', async () => {
    answer = serve({ drop: 50_000 });
    const notes: string[] = [];
    await fetched({ onNote: (note) => notes.push(note) });
    await expectWhole();
    expect(asked).toEqual([undefined, ...[1, 2, 3, 4, 5, 6, 7].map((i) => `bytes=${i * 50_000}-`)]);
    expect(notes[0]).toContain('ended after 50000 of 400000 bytes; trying again in 0 s');
  });

  it('keeps its connection while memory is collected', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const timer = setInterval(collect, 0);
    try {
      for (let i = 0; i < 3; i++) {
        await fetched();
        await expectWhole();
        await rm(join(folder, 'file.pth'));
      }
    } finally {
      clearInterval(timer);
    }
    expect(asked).toEqual(Array<undefined>(3).fill(undefined));
  });

  it('goes on where it was stopped, and says why it stopped', async () => {
    answer = (_, response) => {
      response.writeHead(200, { etag: ETAG, 'content-length': String(FILE.length) });
      response.write(FILE.subarray(0, 100_000));
    };
    const controller = new AbortController();
    const reason = new Error('stopped by the user');
    const onProgress = (done: number): void => {
      if (done === 100_000) controller.abort(reason);
    };
    await expect(fetched({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect((await stat(join(folder, 'file.pth.part'))).size).toBe(100_000);
    answer = serve();
    await fetched();
    await expectWhole();
    expect(asked).toEqual([undefined, 'bytes=100000-']);
  });

  it('starts anew where the file changed meanwhile', async () => {
    const other = Buffer.from(FILE).reverse();
    answer = (request, response, count) =>
      (count === 1 ? serve({ drop: 70_000, file: other, etag: '"old"' }) : serve())(request, response, count);
    await fetched();
    await expectWhole();
    expect(asked).toEqual([undefined, 'bytes=70000-']);
  });

  it('starts anew where the file changed and the server does not know If-Range', async () => {
    const other = Buffer.from(FILE).reverse();
    answer = (request, response, count) => {
      if (count === 1) serve({ drop: 70_000, file: other, etag: '"old"' })(request, response, count);
      else if (count > 2) serve()(request, response, count);
      else {
        const range = `bytes 70000-${FILE.length - 1}/${FILE.length}`;
        response.writeHead(206, { etag: ETAG, 'content-range': range }).end(FILE.subarray(70_000));
      }
    };
    await fetched();
    await expectWhole();
    expect(asked).toEqual([undefined, 'bytes=70000-', undefined]);
  });

  it('starts anew where a server has no ETag or ignores ranges', async () => {
    answer = (_, response, count) => {
      response.writeHead(200, {
        'content-length': String(FILE.length),
        ...(count > 2 ? {} : { etag: ETAG }),
      });
      if (count === 2) response.write(FILE.subarray(0, 90_000), () => response.destroy());
      else if (count === 1) response.write(FILE.subarray(0, 10_000), () => response.destroy());
      else response.end(FILE);
    };
    await fetched();
    await expectWhole();
    expect(asked).toHaveLength(3);
  });

  it('starts anew where a server sends another range, or none', async () => {
    answer = (request, response, count) => {
      if (count !== 2) {
        serve(count === 1 ? { drop: 30_000 } : {})(request, response, count);
        return;
      }
      response.writeHead(206, { etag: ETAG, 'content-range': `bytes 5-${FILE.length - 1}/${FILE.length}` });
      response.end(FILE.subarray(5));
    };
    await fetched();
    await expectWhole();
    expect(asked).toEqual([undefined, 'bytes=30000-', undefined]);
  });

  it('takes what comes without a length', async () => {
    answer = (_, response) => response.writeHead(200).end(FILE);
    const chunked: Answer = (_, response) => {
      response.writeHead(200);
      response.write(FILE.subarray(0, 1000));
      response.end(FILE.subarray(1000));
    };
    answer = chunked;
    await fetched();
    await expectWhole();
  });

  it('follows redirects', async () => {
    answer = (request, response, count) => {
      if (count === 1) response.writeHead(302, { location: '/elsewhere' }).end();
      else serve()(request, response, count);
    };
    await fetched();
    await expectWhole();
  });

  it('waits out a server that is busy', async () => {
    answer = (request, response, count) => {
      if (count < 3) response.writeHead(503).end();
      else serve()(request, response, count);
    };
    await fetched();
    await expectWhole();
  });
});

describe('download gives up with one sentence', () => {
  const lying: Answer = (_, response) => {
    response.writeHead(200, { etag: ETAG, 'content-length': '900000' });
    response.write(FILE, () => setTimeout(() => response.destroy(), 20));
  };
  const html: Answer = (_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in</p>');
  const page: Answer = (_, response) => response.writeHead(200).end('<!DOCTYPE html><html>moved</html>');
  const zipped: Answer = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
  const huge: Answer = (_, response) =>
    response.writeHead(200, { 'content-length': '99999999999999' }).end('x');
  const status =
    (code: number): Answer =>
    (_, response) =>
      response.writeHead(code).end('no');
  const silent: Answer = () => undefined;

  it.each([
    ['404', status(404), 'answered with status 404: the file is not there (any more)'],
    ['403', status(403), 'answered with status 403'],
    ['500, always', status(500), 'answered with status 500, 4 times'],
    ['a page', html, 'answered with a page of the web instead of the file'],
    ['a page that does not say so', page, 'answered with a page of the web instead of the file'],
    ['compressed', zipped, 'sends the file compressed (gzip) though asked not to'],
    ['a length that is not true', lying, /ended after \d+ of 900000 bytes|has no bytes after/],
    ['a length that no weights have', huge, 'announces 99999999999999 bytes'],
    ['silence', silent, 'sent nothing for 0.1 s, 4 times'],
  ])('%s', async (_, reply, message) => {
    answer = reply;
    await expect(fetched({ patience: 0.1 })).rejects.toThrow(message);
    expect(existsSync(join(folder, 'file.pth'))).toBe(false);
  });

  it('no server', async () => {
    const path = join(folder, 'file.pth');
    await expect(download('http://127.0.0.1:9/file.pth', path, options())).rejects.toThrow(
      /cannot reach 127.0.0.1:9 \(.+\), 4 times/,
    );
  });

  it('another file than it must be, of which nothing is kept', async () => {
    await expect(fetched({ sha256: '528c19ca' })).rejects.toThrow(
      `file.pth is damaged or another file, since its SHA-256 is ${SHA256} and must begin with 528c19ca`,
    );
    expect(await readdir(folder)).toEqual([]);
    await writeFile(join(folder, 'file.pth'), 'something else');
    await expect(fetched({ sha256: '528c19ca' })).rejects.toThrow('is damaged or another file');
    expect(await readFile(join(folder, 'file.pth'), 'utf8')).toBe('something else');
  });

  it.skipIf(!existsSync('/dev/full'))('a full disk (where there is /dev/full)', async () => {
    await symlink('/dev/full', join(folder, 'file.pth.part'));
    await expect(fetched()).rejects.toThrow(/^the disk that holds .* is full/);
    expect(asked).toHaveLength(1);
  });

  it('a folder that cannot be made', async () => {
    await writeFile(join(folder, 'taken'), '');
    const path = join(folder, 'taken', 'file.pth');
    await expect(download(`${base}/file.pth`, path, options())).rejects.toThrow(/ENOTDIR|EEXIST/);
  });
});

describe('fetch-weights', () => {
  const name = 'resnet18_places365';
  const path = join('w', 'resnet18_places365.pth.tar');

  it('fetches from a mirror and prints the SHA-256, the licence and what to do next', async () => {
    const { code, stdout, stderr } = await wavelight(
      ['fetch-weights', name, '--out', 'w', '--mirror', base],
      folder,
    );
    expect(stderr).toContain('resnet18_places365: 0.4/0.4 MB');
    expect(stdout).toContain(`${path}: 400000 bytes, SHA-256 ${SHA256}`);
    expect(stdout).toContain('licence: CC BY');
    expect(stdout).toContain(`next: wavelight import ${path} --arch resnet18 --classes 365`);
    expect(code).toBe(0);
    const again = await wavelight(['fetch-weights', name, '--out', 'w', '--mirror', base, '--json'], folder);
    expect(JSON.parse(again.stdout)).toMatchObject({ name, path, sha256: SHA256, wasThere: true });
    expect(asked).toHaveLength(1);
  });

  it('keeps the part on Ctrl-C and goes on with it', async () => {
    const gate = Promise.withResolvers<void>();
    answer = (_, response) => {
      response.writeHead(200, { etag: ETAG, 'content-length': String(FILE.length) });
      response.write(FILE.subarray(0, 200_000), () => gate.resolve());
    };
    const args = ['fetch-weights', name, '--out', 'w', '--mirror', base];
    const { child, finished } = start(args, folder);
    await gate.promise;
    const part = join(folder, `${path}.part`);
    while (!existsSync(part) || (await stat(part)).size < 200_000)
      await new Promise((r) => setTimeout(r, 20));
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(stderr).toContain('wavelight: stopped; the same command goes on where this ended');
    expect(code).toBe(130);
    answer = serve();
    const second = await wavelight(args, folder);
    expect(second.stderr).toContain('going on after 0.2 MB');
    expect(second.code).toBe(0);
    expect(asked).toEqual([undefined, 'bytes=200000-']);
  });

  it('says where else to look', async () => {
    answer = (_, response) => response.writeHead(404).end();
    await mkdir(join(folder, 'w'));
    const { code, stderr } = await wavelight(['fetch-weights', name, '--out', 'w', '--mirror', base], folder);
    expect(stderr.trimEnd()).toMatch(
      /^wavelight: .* status 404: .*; places2\.csail\.mit\.edu is often down, .*github\.com\/CSAILVision\/places365 .*put it at w\/resnet18_places365\.pth\.tar$/,
    );
    expect(code).toBe(1);
    expect(await readdir(join(folder, 'w'))).toEqual([]);
  });

  it.each([
    [['vgg'], 'there are no weights vgg: choose one of densenet161_places365'],
    [[name, '--mirror', 'ftp://x'], 'It must be a URL that begins with https: or http:'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await wavelight(['fetch-weights', ...args], folder);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
