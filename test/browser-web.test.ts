import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeWav, encodeWav, SceneClassifier } from '../src/avsc/index.ts';
import { SHARED, temporaryFolder } from './avsc/media-files.ts';
import { seriousProblems } from './browser/axe.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { fakeDevices } from './browser/fake-devices.ts';
import { buildSite, serveSite } from './browser/site.ts';
import { statusOf } from './browser/status.ts';
import { testDevice } from './support/engine.ts';
import type { FileServer } from './support/file_server.ts';
import { uniform } from './support/hash.ts';

/** The model that the site comes with. */
const MODEL = 'web/public/model.safetensors';
/** Where the site lies on the server, since it must not matter. */
const FOLDER = 'some/folder/';

describe.skipIf(NO_CHROMIUM !== null)(
  `the page in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    const folder = temporaryFolder();
    let server: FileServer;
    let files: Awaited<ReturnType<typeof buildSite>>;
    let browser: Awaited<ReturnType<typeof openChromium>>;
    let context: BrowserContext;
    /** The page of the moment; what needs no page of its own goes on with the one before. */
    let page: Page;
    const problems: string[] = [];

    const serve = (): Promise<FileServer> =>
      serveSite(
        files,
        { [`${FOLDER}model.safetensors`]: { bytes: new Uint8Array(readFileSync(MODEL)) } },
        FOLDER,
      );

    beforeAll(async () => {
      files = await buildSite();
      server = await serve();
      browser = await openChromium(fakeDevices(folder, 'park', 6));
      ({ context } = browser);
      // The page's own devices, so that a test can take one away.
      await context.addInitScript(() => {
        const devices: GPUDevice[] = [];
        Object.assign(globalThis, { devices });
        if (!('GPUAdapter' in globalThis)) return;
        // eslint-disable-next-line @typescript-eslint/unbound-method
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (descriptor) {
          const device = await requestDevice.call(this, descriptor);
          devices.push(device);
          return device;
        };
      });
    });

    afterEach(() => expect(problems.splice(0)).toEqual([]));

    afterAll(async () => {
      await browser.close();
      await server.close();
    });

    const says = (pattern: string): Promise<string> => statusOf(page, pattern);
    let opened: Page | undefined;
    const openPage = async (url = `${server.url}${FOLDER}index.html`): Promise<void> => {
      await opened?.close();
      page = opened = await context.newPage();
      page.on('pageerror', ({ message }) => problems.push(message));
      page.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (protocol.startsWith('http') && origin !== new URL(url).origin) problems.push(request.url());
      });
      await page.goto(url);
    };
    const best = (): Promise<string | null> => page.locator('li[data-best] label').textContent();
    const wav = (seconds: number): Buffer => {
      const tone = uniform('tone', seconds * 48_000).map((value, i) => 0.1 * value + 0.4 * Math.sin(i / 20));
      return Buffer.from(encodeWav([tone, tone], 48_000, 16));
    };
    const drop = async (name: string, type: string, bytes: Buffer): Promise<void> => {
      const transfer = await page.evaluateHandle(
        ([name, type, base64]) => {
          const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([data], name, { type }));
          return transfer;
        },
        [name, type, bytes.toString('base64')] as const,
      );
      await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
    };
    const table = async (): Promise<string[][]> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      const text = await readFile(await download.path(), 'utf8');
      return text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(','));
    };

    it('hears and sees which place the camera and the microphone are in, second by second', async () => {
      await openPage();
      await says('^Ready: the model demo runs on .* That is software');
      await page.check('#explain');
      await page.click('#listen');
      await page.waitForSelector('#facts dd');
      // The first seconds compile what explains.
      await page.waitForFunction(`document.querySelector('li[data-best] label').textContent === 'park'`);
      const shares = await page
        .locator('meter')
        .evaluateAll((meters) => meters.map((meter) => (meter as HTMLMeterElement).value));
      expect(shares).toHaveLength(10);
      const sum = shares.reduce((total, share) => total + share, 0);
      console.log(`the bars' sum is ${Math.abs(sum - 1).toExponential(1)} off 1`);
      expect(sum).toBeCloseTo(1, 5);
      console.log(await page.locator('#facts').innerText());
      expect(await page.locator('#facts').innerText()).toMatch(/The nets\s+[\d.]+ ms/);
      await page.click('#stop');
      await says('^Stopped');
      await page.uncheck('#explain');
    });

    it('judges each second of a dropped recording as Node does, and goes to the one that is chosen', async () => {
      await drop('tone.wav', 'audio/wav', wav(3.5));
      await says('^tone.wav: 3 of 3 seconds');
      const [head, ...rows] = await table();
      expect(head?.slice(0, 3)).toEqual(['second', 'scene', 'airport']);
      expect(rows.map(([second]) => second)).toEqual(['0', '1', '2']);
      const scene = await SceneClassifier.load(await testDevice(), new Uint8Array(readFileSync(MODEL)));
      const { channels, sampleRate } = decodeWav(wav(3.5));
      const expected = await scene.classifyAll({ audio: channels, sampleRate });
      scene.dispose();
      const off = Math.max(
        ...expected.flatMap(({ probabilities }, i) =>
          [...probabilities].map((value, c) => Math.abs(value - Number(rows[i]?.[c + 2]))),
        ),
      );
      console.log(`the table is ${off.toExponential(1)} off Node's probabilities`);
      expect(off).toBeLessThan(1e-4);
      await page.locator('#seek').fill('1');
      await page.waitForFunction(
        `document.getElementById('at').textContent.startsWith('1: ') && document.getElementById('player').currentTime === 1`,
      );
    });

    it('judges sound and pictures of a file that the browser has recorded', async () => {
      const base64 = await page.evaluate<string>(`(async () => {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
        const recorder = new MediaRecorder(stream, { mimeType: 'video/webm' });
        const recorded = new Promise((resolve) => (recorder.ondataavailable = ({ data }) => resolve(data)));
        recorder.start();
        await new Promise((resolve) => setTimeout(resolve, 3500));
        recorder.stop();
        for (const track of stream.getTracks()) track.stop();
        const bytes = new Uint8Array(await (await recorded).arrayBuffer());
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
      })()`);
      await drop('park.webm', 'video/webm', Buffer.from(base64, 'base64'));
      await says('^park.webm: 3 of 3 seconds');
      const [, ...rows] = await table();
      console.log(`a recorded park: ${rows.map(([, scene]) => scene).join(', ')}`);
      expect(rows.filter(([, scene]) => scene === 'park').length).toBeGreaterThanOrEqual(2);
      expect(await page.getAttribute('#first', 'aria-label')).toBe('Frame 1 of the second');
    });

    it('knows the scenes that it makes itself', async () => {
      await page.selectOption('#made', 'metro');
      await page.click('#make');
      await says('^made metro: 10 of 10 seconds');
      const [, ...rows] = await table();
      const right = rows.filter(([, scene]) => scene === 'metro').length;
      console.log(`${right} of ${rows.length} seconds of a made metro are said to be one`);
      expect(right).toBeGreaterThan(rows.length / 2);
    });

    it('keeps a model that is dropped, and uses it after a reload until it is forgotten', async () => {
      await drop('mine.safetensors', '', readFileSync(MODEL));
      await says('^Ready: the model mine ');
      await page.waitForFunction(`localStorage.getItem('wavelight-model') === 'mine'`);
      await page.reload();
      await says('^Ready: the model mine ');
      await page.click('#forget');
      await says('^Ready: the model demo ');
      expect(await page.locator('#choice option').allTextContents()).toEqual(['demo']);
      expect(await page.isHidden('#forget')).toBe(true);
    });

    const weights = `${SHARED}/checkpoints/squeezenet11bn_places365_urbste.safetensors`;
    const judgesPlaces =
      'judges pictures by published weights with names (skipped where ../shared is absent)';
    it.skipIf(!existsSync(weights))(judgesPlaces, async () => {
      const names = readFileSync(`${SHARED}/checkpoints/categories_places365.txt`);
      await drop('categories_places365.txt', 'text/plain', names);
      await says('has the names of 365 classes');
      await drop('squeezenet.safetensors', '', readFileSync(weights));
      await says('^Ready: the model squeezenet ');
      expect(await page.locator('meter').count()).toBe(8);
      await page.click('#listen');
      await page.waitForSelector('li[data-best]');
      console.log(`the made park is ${(await best()) ?? ''} by Places365`);
      expect(await best()).toMatch(/^[a-z]/);
      await page.click('#stop');
      await page.selectOption('#choice', 'demo');
      await says('^Ready: the model demo ');
    });

    it('opens a lost device again', async () => {
      const count = await page.evaluate<number>(`devices.length`);
      await page.evaluate(`devices.at(-1).destroy()`);
      await page.waitForFunction(`devices.length === ${count + 1}`);
      await says('^Ready');
      await drop('tone.wav', 'audio/wav', wav(1));
      await says('^tone.wav: 1 of 1 seconds');
    });

    it('says what is missing and goes on', async () => {
      await drop('none.txt', 'text/plain', Buffer.from('none'));
      expect(await says('^none.txt: ')).toContain('finds neither sound nor pictures');
      await drop('short.wav', 'audio/wav', wav(0.5));
      expect(await says('^short.wav')).toContain('at least one second is needed');
      await drop('bad.safetensors', '', Buffer.from('no weights'));
      await says('safetensors|checkpoint');
      expect(await page.locator('#status').getAttribute('data-kind')).toBe('problem');
      await drop('tone.wav', 'audio/wav', wav(1));
      await says('^tone.wav: 1 of 1 seconds');
    });

    it('says that the model of the site is not there, and takes another', async () => {
      const without = await serveSite(files);
      try {
        await openPage(`${without.url}index.html`);
        expect(await says('could not be loaded')).toContain('404');
        await drop('mine.safetensors', '', readFileSync(MODEL));
        await says('^Ready: the model mine ');
      } finally {
        await without.close();
      }
    });

    it('says that there is no WebGPU, no https, no permission', async () => {
      const { context: other, close } = await openChromium([
        ...fakeDevices(folder, 'park', 1, 'refuses'),
        '--host-resolver-rules=MAP elsewhere.test 127.0.0.1',
      ]);
      const url = `${server.url}${FOLDER}index.html`;
      try {
        page = await other.newPage();
        await page.goto(url);
        await says('^Ready');
        await page.click('#listen');
        expect(await says('was refused')).toContain('Allow them');
        await drop('tone.wav', 'audio/wav', wav(1));
        await says('^tone.wav: 1 of 1 seconds');
        await page.goto(url.replace('127.0.0.1', 'elsewhere.test'));
        expect(await says('WebGPU')).toContain('needs https');
        expect(await page.isDisabled('#listen')).toBe(true);
        // A browser without it.
        await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'));
        await page.goto(url);
        expect(await says('WebGPU')).toContain('use a current Chrome');
      } finally {
        await close();
      }
    });

    it('works without a network once it was loaded', async () => {
      await openPage();
      await says('^Ready');
      await page.waitForFunction(`navigator.serviceWorker.ready.then(() => true)`);
      await server.close();
      await context.setOffline(true);
      try {
        await page.reload();
        await says('^Ready');
        await page.check('#explain');
        await drop('tone.wav', 'audio/wav', wav(1));
        await says('^tone.wav: 1 of 1 seconds');
      } finally {
        await context.setOffline(false);
        server = await serve();
      }
    });

    it('loads at most 300 kB before the weights', async () => {
      const loaded = new Map<string, number>();
      page = await context.newPage();
      page.on('response', (response) => {
        const path = new URL(response.url()).pathname.slice(1 + FOLDER.length);
        const bytes = files.get(path);
        if (bytes !== undefined && path !== 'sw.js') loaded.set(path, gzipSync(bytes).length);
      });
      const fresh = await serve();
      try {
        await page.goto(`${fresh.url}${FOLDER}index.html`);
        await says('^Ready');
      } finally {
        await fresh.close();
      }
      const sum = [...loaded.values()].reduce((total, bytes) => total + bytes, 0);
      console.log(`the first load takes ${loaded.size} files of ${sum} bytes gzipped`);
      expect(loaded.size).toBeGreaterThan(3);
      expect(sum).toBeLessThan(300_000);
    });

    it('has no serious problem for those who see or hear less', async () => {
      await openPage();
      await says('^Ready');
      await drop('tone.wav', 'audio/wav', wav(2));
      await says('^tone.wav: 2 of 2 seconds');
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await seriousProblems(page)).toEqual([]);
      }
    });
  },
);
