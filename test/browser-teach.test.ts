import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeWav, encodeWav } from '../src/avsc/index.ts';
import { prepareSplits } from '../src/avsc/node/data/prepare-splits.ts';
import { measurePredictions } from '../src/avsc/node/runs/evaluate.ts';
import { predictStage } from '../src/avsc/node/runs/measure.ts';
import { openTrained } from '../src/avsc/node/runs/trained.ts';
import { findStage, inputNames } from '../src/avsc/training/model.ts';
import { SHARED, temporaryFolder } from './avsc/media-files.ts';
import { seriousProblems } from './browser/axe.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { fakeDevices } from './browser/fake-devices.ts';
import { buildSite, serveSite } from './browser/site.ts';
import { statusOf } from './browser/status.ts';
import { testDevice } from './support/engine.ts';
import type { FileServer } from './support/file_server.ts';

/** The model that the site comes with. */
const MODEL = 'web/public/model.safetensors';
const tau = join(SHARED, 'data', 'tau-mini');
const CLIPS = [
  { place: 'my street', clip: 'street_traffic-lyon-1029-40200' },
  { place: 'my shops', clip: 'shopping_mall-prague-1009-40009' },
  { place: 'my way', clip: 'street_pedestrian-helsinki-148-4492' },
];
/** Seconds of the only recording of a place, and those that are held out. */
const [SECONDS, HELD_OUT] = [10, 3];
const missing = NO_CHROMIUM ?? (existsSync(tau) ? null : `there is no ${tau}`);

describe.skipIf(missing !== null)(
  `teaching in Chromium${missing === null ? '' : `: skipped, ${missing}`}`,
  () => {
    const folder = temporaryFolder();
    const file = join(folder, 'my places.safetensors');
    let server: FileServer;
    let browser: Awaited<ReturnType<typeof openChromium>>;
    let context: BrowserContext;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      const files = await buildSite();
      server = await serveSite(files, {
        'model.safetensors': { bytes: new Uint8Array(readFileSync(MODEL)) },
      });
      browser = await openChromium(fakeDevices(folder, 'park', 6));
      ({ context } = browser);
      // The page's devices, and the bytes in their buffers.
      await context.addInitScript(() => {
        const devices: GPUDevice[] = [];
        const memory = { bytes: 0 };
        Object.assign(globalThis, { devices, memory });
        /* eslint-disable @typescript-eslint/unbound-method */
        const { requestDevice } = GPUAdapter.prototype;
        const { createBuffer } = GPUDevice.prototype;
        const { destroy } = GPUBuffer.prototype;
        /* eslint-enable @typescript-eslint/unbound-method */
        GPUAdapter.prototype.requestDevice = async function (descriptor) {
          const device = await requestDevice.call(this, descriptor);
          devices.push(device);
          return device;
        };
        const live = new WeakSet<GPUBuffer>();
        GPUDevice.prototype.createBuffer = function (descriptor) {
          const buffer = createBuffer.call(this, descriptor);
          live.add(buffer);
          memory.bytes += buffer.size;
          return buffer;
        };
        GPUBuffer.prototype.destroy = function () {
          if (live.delete(this)) memory.bytes -= this.size;
          return destroy.call(this);
        };
      });
      page = await context.newPage();
      page.on('pageerror', ({ message }) => problems.push(message));
      page.on('request', (request) => {
        if (request.url().startsWith('http') && !request.url().startsWith(server.url))
          problems.push(request.url());
      });
      await page.goto(`${server.url}teach.html`);
    });

    afterEach(() => expect(problems.splice(0)).toEqual([]));

    afterAll(async () => {
      await browser.close();
      await server.close();
    });

    const says = (pattern: string): Promise<string> => statusOf(page, pattern);
    const addPlace = async (name: string): Promise<void> => {
      await page.fill('#name', name);
      await page.click('#add-place');
      await says(`^${name} is a place now`);
    };
    const counts = (): Promise<string[]> => page.locator('#places > li > p').allTextContents();
    const train = async (steps: number): Promise<{ right: number; of: number; sentence: string }> => {
      await page.evaluate((value) => {
        const input = document.getElementById('steps');
        if (input instanceof HTMLInputElement) input.value = String(value);
      }, steps);
      await page.click('#train');
      const sentence = await says('^Training \\d+ learned');
      const [, right, of] = /(\d+) of (\d+) held-out seconds are right/.exec(sentence) ?? [];
      return { right: Number(right), of: Number(of), sentence };
    };
    const lossRows = (): Promise<string[][]> =>
      page
        .locator('#trainings tr')
        .evaluateAll((rows) =>
          rows.map((row) => [...(row as HTMLTableRowElement).cells].map(({ textContent }) => textContent)),
        );

    it('learns three places from recordings; the loss falls, and nothing grows over 500 steps', async () => {
      await says('^Ready');
      for (const [i, { place, clip }] of CLIPS.entries()) {
        await addPlace(place);
        await page.setInputFiles(`#files-${i}`, join(tau, 'audio', `${clip}.wav`));
        await says(`^${place} has ${SECONDS} seconds now`);
      }
      const held: number[] = [];
      await page.exposeFunction('note', (value: number) => void held.push(value));
      await page.evaluate(`
        new MutationObserver(() => {
          const step = Number(/^Step (\\d+)/.exec(document.getElementById('progress-text').textContent)?.[1]);
          if (step >= 20) note(memory.bytes);
        }).observe(document.getElementById('progress-text'), { childList: true, characterData: true, subtree: true })`);
      const { right, of, sentence } = await train(520);
      console.log(sentence);
      expect(of).toBe(CLIPS.length * HELD_OUT);
      expect(right / of).toBeGreaterThanOrEqual(0.9);
      console.log(`bytes in buffers of the page: ${held[0]} after 20 steps, ${held.at(-1)} after 520`);
      expect(held.length).toBeGreaterThan(40);
      expect(new Set(held).size).toBe(1);
      const losses = await page
        .locator('#loss .curve')
        .evaluate((curve) =>
          (curve.getAttribute('points') ?? '').split(' ').map((point) => Number(point.split(',')[1])),
        );
      // Heights grow downwards.
      expect(losses.at(-1)).toBeGreaterThan((losses[0] ?? NaN) + 50);
      expect(await page.locator('#accuracy').getAttribute('aria-label')).toContain('100 % at step 520');
      const diagonal = await page.locator('#confusion td[data-right]').allTextContents();
      expect(diagonal.reduce((sum, count) => sum + Number(count), 0)).toBe(right);
    });

    it('gives a file that wavelight eval finds as good', async () => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      await download.saveAs(file);
      const trained = await openTrained(file);
      const { experiment } = trained;
      expect(experiment.scenes).toEqual(CLIPS.map(({ place }) => place));
      const root = dataSet();
      const { splits } = await prepareSplits(root, ['evaluate'], {
        cache: join(folder, 'cache'),
        inputs: inputNames(experiment),
        size: experiment.imageSize,
        scenes: experiment.scenes,
      });
      const device = await testDevice();
      const { signal } = new AbortController();
      const context = { device, trained, cache: join(folder, 'cache'), signal };
      const predictions = await predictStage(context, findStage(experiment, 'audio'), splits[0] ?? []);
      await device.destroy();
      const { accuracy, count } = measurePredictions(predictions);
      console.log(`wavelight eval: ${(100 * accuracy.overall).toFixed(1)} % of ${count} held-out seconds`);
      const [row] = await lossRows();
      expect(count).toBe(CLIPS.length * HELD_OUT);
      expect(`${Math.round(100 * accuracy.overall)} %`).toBe(row?.at(-1));
    });

    it('keeps the seconds when the page is opened again, and compares switches', async () => {
      await page.reload();
      await says('^Ready');
      await page.locator('#places > li').nth(2).waitFor();
      expect(await counts()).toEqual(CLIPS.map(() => `${SECONDS} s in 1 recording`));
      await train(50);
      await page.check('#mixup');
      await train(50);
      await page.check('#augmentation');
      await train(20);
      const rows = await lossRows();
      expect(rows.map(([, switches]) => switches)).toEqual(['neither', 'mixup', 'mixup and augmentation']);
      expect(new Set(rows.map(([, , , loss]) => loss)).size).toBe(3);
      expect(await page.locator('#loss .curve').count()).toBe(3);
      const effect = await page.locator('#mixup-effect').textContent();
      console.log(effect);
      expect(effect).toMatch(
        /^Held-out seconds, right: \d+ % and log loss [\d.]+ with it, \d+ % and log loss [\d.]+ without/,
      );
    });

    it('goes on when the device is lost', async () => {
      await page.uncheck('#mixup');
      await page.uncheck('#augmentation');
      await page.evaluate(`
        new MutationObserver((_, observer) => {
          if (!/^Step [34]0 /.test(document.getElementById('progress-text').textContent)) return;
          observer.disconnect();
          devices.at(-1).destroy();
        }).observe(document.getElementById('progress-text'), { childList: true, characterData: true, subtree: true })`);
      const { right, of } = await train(60);
      expect(await page.evaluate('devices.length')).toBe(2);
      expect(right / of).toBeGreaterThanOrEqual(0.9);
    });

    it('keeps what was learned when it is stopped, and refuses bad files in a sentence', async () => {
      await page.evaluate(`document.getElementById('steps').value = '9000'`);
      await page.click('#train');
      await page.waitForFunction(
        `/^Step \\d+ of 9000/.test(document.getElementById('progress-text').textContent)`,
      );
      await page.click('#stop');
      const sentence = await says('^Training \\d+ learned');
      expect(Number(/in (\d+) steps/.exec(sentence)?.[1])).toBeLessThan(9000);
      expect(await page.isEnabled('#download')).toBe(true);
      const bad = (name: string, text: string) => ({ name, mimeType: '', buffer: Buffer.from(text) });
      await page.setInputFiles('#model', bad('bad.safetensors', 'no weights'));
      await page.waitForFunction(`document.getElementById('status').dataset.kind === 'problem'`);
      await page.setInputFiles('#files-0', bad('none.wav', 'no sound'));
      expect(await says('^none.wav')).toContain('finds neither sound nor pictures');
      expect(await counts()).toEqual(CLIPS.map(() => `${SECONDS} s in 1 recording`));
      expect((await train(20)).right).toBeGreaterThan(0);
    });

    it('records from the camera and the microphone, stops, and deletes', async () => {
      await addPlace('here');
      await page.click('#record-3');
      await page.waitForFunction(`document.getElementById('recorded').value >= 2`);
      expect(await page.locator('#recorded-text').textContent()).toMatch(/^here: \d s to go$/);
      await page.click('#stop');
      await says('^here has \\d+ seconds now');
      expect((await counts())[3]).toMatch(/^[2-9] s in 1 recording$/);
      await page.click('#delete-3');
      await says('^here is deleted');
      expect(await counts()).toHaveLength(3);
    });

    it('is used on the first page, and taught further', async () => {
      await page.click('#use');
      await says('the first page uses it');
      await page.goto(`${server.url}index.html`);
      await says('^Ready: the model my places');
      expect(await page.locator('#scenes label').allTextContents()).toEqual(CLIPS.map(({ place }) => place));
      await page.goto(`${server.url}teach.html`);
      await says('^Ready: the model my places');
      await page.locator('#places > li').nth(2).waitFor();
      await page.click('details:has(#resume) summary');
      await page.check('#resume');
      const { right, of } = await train(10);
      expect(right / of).toBeGreaterThanOrEqual(0.9);
      await page.setInputFiles('#model', file);
      expect(await says('is in use')).toContain(CLIPS.map(({ place }) => place).join(', '));
    });

    it('is accessible, on narrow and wide screens, light and dark', async () => {
      for (const width of [390, 1440])
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          expect(await seriousProblems(page)).toEqual([]);
          const beyond = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
          expect(beyond).toBeLessThanOrEqual(0);
        }
      const small = await page
        .locator('button:visible, label.button:visible, input[type=number]:visible, input[type=text]:visible')
        .evaluateAll((all) =>
          all.map((each) => each.getBoundingClientRect().height).filter((height) => height < 44),
        );
      expect(small).toEqual([]);
    });

    /** A data set of the seconds that were held out, in the layout of TAU. */
    function dataSet(): string {
      const root = join(folder, 'held-out');
      for (const name of ['audio', 'video', 'evaluation_setup'])
        mkdirSync(join(root, name), { recursive: true });
      const rows = CLIPS.map(({ place, clip }) => {
        const { channels, sampleRate } = decodeWav(readFileSync(join(tau, 'audio', `${clip}.wav`)));
        const cut = channels.map((channel) =>
          channel.slice((SECONDS - HELD_OUT) * sampleRate, SECONDS * sampleRate),
        );
        writeFileSync(join(root, 'audio', `${clip}.wav`), encodeWav(cut, sampleRate, 24));
        symlinkSync(join(tau, 'video', `${clip}.mp4`), join(root, 'video', `${clip}.mp4`));
        return `audio/${clip}.wav\tvideo/${clip}.mp4\t${place}\n`;
      });
      const table = `filename_audio\tfilename_video\tscene_label\n${rows.join('')}`;
      writeFileSync(join(root, 'evaluation_setup', 'fold1_evaluate.csv'), table);
      return root;
    }
  },
);
