import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SceneClassifier, type SceneInput } from '../src/avsc/index.ts';
import '../src/node.ts';
import { exportAllSafetensors } from '../src/avsc/node/runs/export.ts';
import { writeSafetensors } from '../src/nn/checkpoint/safetensors/file.ts';
import { temporaryFolder } from './avsc/media-files.ts';
import { buildExample, bundle } from './browser/bundle.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { pictureBytes, soundOf } from './browser/weights-scenario.ts';
import { testDevice } from './support/engine.ts';
import { pageOf, servePages } from './browser/serve.ts';
import { serveFiles, type FileServer } from './support/file_server.ts';
import { uniform } from './support/hash.ts';
import { makeRun } from './support/made_run.ts';
import { FULL } from './support/scale.ts';

/** A file of 5 MB and the SHA-256 of its tensors. */
function weights(name: string): { readonly bytes: Uint8Array<ArrayBuffer>; readonly sha256: string } {
  const data = ['a', 'b', 'c'].map((part) => Float32Array.from(uniform(name + part, 420_000)));
  const bytes = writeSafetensors(new Map(data.map((part, i) => [`w${i}`, { shape: [420_000], data: part }])));
  const hash = createHash('sha256');
  for (const part of data) hash.update(new Uint8Array(part.buffer));
  return { bytes, sha256: hash.digest('hex') };
}

interface Opened {
  readonly sha256: string;
  readonly last: { readonly loaded: number; readonly total: number | null } | null;
}

describe.skipIf(NO_CHROMIUM !== null)(
  `weights in a page${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    const folder = temporaryFolder();
    const first = weights('first');
    const other = weights('other');
    let server: FileServer;
    let elsewhere: FileServer;
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;

    /** Calls a function of test/browser/weights-page.ts. */
    const call = <T>(name: string, ...args: unknown[]): Promise<T> =>
      page.evaluate<T>(`page.${name}(...${JSON.stringify(args)})`);

    beforeAll(async () => {
      const { files } = await bundle({ page: 'test/browser/weights-page.ts' });
      const run = await makeRun(folder, 'run');
      const all = join(folder, 'all.safetensors');
      await exportAllSafetensors(run, all);
      server = await servePages(
        files,
        { '': pageOf('page.js') },
        { 'all.safetensors': { bytes: new Uint8Array(await readFile(all)) } },
      );
      elsewhere = await serveFiles();
      browser = await openChromium([
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        '--autoplay-policy=no-user-gesture-required',
      ]);
      page = await browser.context.newPage();
      page.on('pageerror', (error) => console.error(`in the page: ${error.message}`));
      await page.goto(server.url);
    });
    beforeEach(() => {
      server.reset();
      elsewhere.reset();
    });
    afterAll(async () => {
      await browser?.close();
      await server.close();
      await elsewhere.close();
    });

    it('are read from an address relative to the page, by few ranges', async () => {
      server.files.set('first', { bytes: first.bytes });
      const size = first.bytes.length;
      expect(await call('open', 'first')).toEqual({
        sha256: first.sha256,
        last: { loaded: size, total: size },
      });
      const { requests, ranges } = server.counts();
      console.log(`${size} bytes in a page: ${requests} requests (${ranges.join(', ')})`);
      expect(requests).toBeLessThanOrEqual(4);
      expect((await call<Opened>('openBlob', 'first')).sha256).toBe(first.sha256);
      expect(await call('refusal', 'none')).toBe(`${server.url}none: the server answered 404 Not Found`);
      expect(await call('refusal', 'file:///etc/hosts')).toContain('a page cannot read file:///etc/hosts');
    });

    it('are read from other origins, as a whole where the server hides its ranges', async () => {
      const url = `${elsewhere.url}first`;
      for (const [cors, statuses] of [
        ['exposed', [206, 206]],
        ['plain', [206, 200]],
      ] as const) {
        elsewhere.files.set('first', { bytes: first.bytes, cors });
        elsewhere.reset();
        expect((await call<Opened>('open', url)).sha256).toBe(first.sha256);
        expect(elsewhere.counts().statuses.slice(0, 2)).toEqual(statuses);
      }
      elsewhere.files.set('first', { bytes: first.bytes });
      expect(await call('refusal', url)).toContain(
        'cannot be fetched: Failed to fetch (is it reachable, and does it allow this page to read it by CORS?)',
      );
    });

    it('are kept, if that is asked for, and not sent again until they change', async () => {
      server.files.set('kept', { bytes: first.bytes });
      const open = async (cache: boolean | 'force', want = first): Promise<number[]> => {
        server.reset();
        const { sha256, last } = await call<Opened>('open', 'kept', { cache });
        expect(sha256).toBe(want.sha256);
        expect(last).toEqual({ loaded: want.bytes.length, total: want.bytes.length });
        return [...server.counts().statuses];
      };
      expect(await open(true)).toEqual([200]);
      expect(await open(true)).toEqual([304]);
      expect(server.counts().bytes).toBe(0);
      expect(await open('force')).toEqual([]);
      // A new page has them too.
      await page.reload();
      expect(await open(true)).toEqual([304]);
      server.files.set('kept', { bytes: other.bytes });
      expect(await open('force')).toEqual([]);
      expect(await open(true, other)).toEqual([200]);
      expect(await open(true, other)).toEqual([304]);
      server.files.set('kept', { bytes: other.bytes, status: 503 });
      expect(await open(true, other)).toEqual([503]);
      server.files.delete('kept');
      await expect(call('open', 'kept', { cache: true })).rejects.toThrow('the server answered 404');
      server.files.set('kept', { bytes: first.bytes });
      expect(await call('clear')).toBe(true);
      expect(await call('clear')).toBe(false);
      expect(await open('force')).toEqual([200]);
      await call('clear');
    });

    it('are kept of other origins, and opened without a network', async () => {
      const url = `${elsewhere.url}kept`;
      elsewhere.files.set('kept', { bytes: first.bytes, cors: 'exposed' });
      for (let i = 0; i < 2; i++) {
        elsewhere.reset();
        expect((await call<Opened>('open', url, { cache: true })).sha256).toBe(first.sha256);
        expect(elsewhere.counts().requests).toBe(1);
      }
      await browser?.context.setOffline(true);
      try {
        expect((await call<Opened>('open', url, { cache: true })).sha256).toBe(first.sha256);
      } finally {
        await browser?.context.setOffline(false);
      }
      await call('clear');
    });

    it('are opened where there is no room to keep them', async () => {
      const session = await page.context().newCDPSession(page);
      const origin = new URL(server.url).origin;
      await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 100_000 });
      server.files.set('room', { bytes: first.bytes });
      for (let i = 0; i < 2; i++) {
        server.reset();
        expect((await call<Opened>('open', 'room', { cache: true })).sha256).toBe(first.sha256);
        expect(server.counts().statuses).toEqual([200]);
      }
      await session.send('Storage.overrideQuotaForOrigin', { origin });
    });

    it('judge a second as in Node, whatever holds it', async () => {
      const got = await call<Record<string, number[]>>('classify', 'all.safetensors');
      const { requests } = server.counts();
      const device = await testDevice();
      const scene = await SceneClassifier.load(device, join(folder, 'all.safetensors'));
      const images = [pictureBytes(0), pictureBytes(1)] as const;
      const sound = { audio: soundOf(48_000), sampleRate: 48_000 };
      const whole = { ...sound, images };
      const small = { ...sound, images: [pictureBytes(0, 200, 150), pictureBytes(1, 180, 170)] as const };
      const inputs: Record<string, SceneInput> = {
        ...{ bytes: whole, imageData: whole, drawn: whole, frame: whole },
        ...{ smallBytes: small, smallDrawn: small, smallFrame: small },
        rate: { audio: soundOf(44_100), sampleRate: 44_100, images },
        sound,
        pictures: { images },
      };
      const errors: string[] = [];
      for (const [name, input] of Object.entries(inputs)) {
        const { probabilities } = await scene.classify(input);
        const error = Math.max(...probabilities.map((p, i) => Math.abs(p - (got[name]?.[i] ?? NaN))));
        errors.push(`${name} ${error.toExponential(1)}`);
        expect(error, name).toBeLessThan(1e-4);
      }
      console.log(`a page beside Node: ${errors.join(', ')}; weights by ${requests} requests`);
      expect(got['pipelines']).toEqual([0]);
      expect(new Set([got['bytes'], got['smallBytes'], got['sound'], got['pictures']].map(String)).size).toBe(
        4,
      );
      scene.dispose();
      await device.destroy();
    });

    it.each([
      // The site's test does both together.
      ...(FULL ? [['a camera and a microphone', { audio: true, video: true }, 'joint'] as const] : []),
      ['a microphone', { audio: true }, 'audio'],
      ['a camera', { video: true }, 'video'],
    ] as const)('judge the seconds of %s', async (_, kinds, model) => {
      interface Heard {
        readonly second: number;
        readonly dropped: number;
        readonly models: readonly string[];
        readonly sum: number;
      }
      const { heard, live } = await call<{ heard: Heard[]; live: boolean }>(
        'listen',
        'all.safetensors',
        3,
        kinds,
      );
      console.log(
        `listened: seconds ${heard.map(({ second, dropped }) => `${second} (${dropped} dropped)`).join(', ')}`,
      );
      const off = Math.max(...heard.map(({ sum }) => Math.abs(sum - 1)));
      console.log(`sums of probabilities: at most ${off.toExponential(1)} off 1`);
      expect(heard.length).toBe(3);
      for (const { models, sum } of heard) {
        expect(models).toEqual([model]);
        expect(sum).toBeCloseTo(1, 9);
      }
      const [start] = heard;
      const last = heard.at(-1);
      const judged = heard.length + heard.slice(1).reduce((sum, { dropped }) => sum + dropped, 0);
      expect((last?.second ?? 0) - (start?.second ?? 0) + 1).toBe(judged);
      // The stream is the page's own.
      expect(live).toBe(true);
    });

    it('stop listening when the stream ends or the signal aborts', async () => {
      const { atEnd, reasons, ended } = await call<{
        atEnd: number;
        reasons: string[];
        ended: unknown;
      }>('endings', 'all.safetensors');
      expect(atEnd).toBeGreaterThanOrEqual(0);
      expect(reasons).toEqual(['enough']);
      expect(ended).toBe('the stream has no track that is live');
    });

    it('of PyTorch run in the page of the example, on a picture that it draws', async () => {
      const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' };
      for (const [name, code] of await buildExample('page-weights')) {
        const bytes = typeof code === 'string' ? new TextEncoder().encode(code) : new Uint8Array(code);
        const type = types[name.split('.').at(-1) ?? ''];
        server.files.set(name, { bytes, ...(type !== undefined && { type }) });
      }
      const example = await page.context().newPage();
      example.on('pageerror', (error) => console.error(`in the example: ${error.message}`));
      try {
        server.reset();
        await example.goto(`${server.url}index.html`);
        for (let i = 0; i < 3; i++) {
          if (i > 0) await example.getByText('Draw other stripes').click();
          await example.waitForFunction(`document.querySelector('output').value.includes('%')`);
          const [drawn, judged] = await example.evaluate<[string, string]>(
            `[document.querySelector('canvas').dataset.drawn, document.querySelector('output').value]`,
          );
          console.log(`${drawn} stripes: ${judged}`);
          const likely = Number(new RegExp(`${drawn} ([0-9.]+) %`).exec(judged)?.[1]);
          expect(likely).toBeGreaterThan(50);
        }
        expect(await example.evaluate(`document.querySelector('progress').value`)).toBe(1);
        expect(server.counts().statuses).toEqual([200]);
      } finally {
        await example.close();
        await call('clear');
      }
    });

    it('drop whole seconds where the page is slow, and say so', async () => {
      const { heard, told } = await call<{
        heard: { second: number; dropped: number }[];
        told: [number, string][];
      }>('slow', 'all.safetensors');
      expect(heard.length).toBe(3);
      const [, second, third] = heard;
      expect(second?.dropped).toBeGreaterThan(0);
      expect(third?.dropped).toBeGreaterThan(0);
      const total = heard.reduce((sum, { dropped }) => sum + dropped, 0);
      expect(told.length).toBe(total);
      expect(told.every(([, reason]) => reason === 'busy')).toBe(true);
    });
  },
);
