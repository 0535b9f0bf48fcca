import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../src/avsc/index.ts';
import { exportAllSafetensors } from '../src/avsc/node/runs/export.ts';
import { temporaryFolder } from './avsc/media-files.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { buildSite, serveSite } from './browser/site.ts';
import type { FileServer } from './support/file_server.ts';
import { uniform } from './support/hash.ts';
import { makeRun } from './support/made_run.ts';

describe.skipIf(NO_CHROMIUM !== null)(
  `the page in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    const folder = temporaryFolder();
    let server: FileServer | undefined;
    let without: FileServer | undefined;
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      const all = join(folder, 'all.safetensors');
      await exportAllSafetensors(await makeRun(folder, 'run'), all);
      const files = await buildSite();
      const model = { bytes: new Uint8Array(await readFile(all)) };
      server = await serveSite(files, { 'model.safetensors': model });
      without = await serveSite(files, { 'model.safetensors': { bytes: new Uint8Array(), status: 404 } });
      browser = await openChromium([
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        '--autoplay-policy=no-user-gesture-required',
      ]);
      page = await browser.context.newPage();
      page.on('pageerror', ({ message }) => problems.push(message));
    });

    afterAll(async () => {
      await browser?.close();
      await server?.close();
      await without?.close();
      expect(problems).toEqual([]);
    });

    const status = (): Promise<string | null> => page.locator('#status').textContent();
    const says = (pattern: string) =>
      page.waitForFunction(`/${pattern}/.test(document.getElementById('status').textContent)`, undefined, {
        timeout: 60_000,
      });

    it('judges a camera and a microphone second by second until it is stopped', async () => {
      await page.goto(`${server?.url ?? ''}index.html`);
      await says('^Ready, on ');
      await page.check('#explain');
      await page.click('#listen');
      const judged = `/ms for the last second/.test(document.getElementById('facts').textContent)`;
      await page.waitForFunction(judged, undefined, { timeout: 30_000 }).catch(async (error: unknown) => {
        throw new Error(`the page says: ${(await status()) ?? ''}`, { cause: error });
      });
      const shares = await page
        .locator('meter')
        .evaluateAll((meters) => meters.map((meter) => (meter as HTMLMeterElement).value));
      expect(shares).toHaveLength(10);
      const sum = shares.reduce((total, share) => total + share, 0);
      console.log(`the bars' sum is ${Math.abs(sum - 1).toExponential(1)} off 1`);
      expect(sum).toBeCloseTo(1, 5);
      expect(await page.locator('li[data-best]').count()).toBe(1);
      console.log(await page.locator('#facts').textContent());
      await page.click('#stop');
      await says('^Stopped');
    });

    it('judges each second of a recording, and shows the one that is chosen', async () => {
      const tone = uniform('tone', 3.5 * 48_000).map((value, i) => 0.1 * value + 0.4 * Math.sin(i / 20));
      const buffer = Buffer.from(encodeWav([tone, tone], 48_000, 16));
      await page.setInputFiles('#recording', { name: 'tone.wav', mimeType: 'audio/wav', buffer });
      await says('^tone.wav: 3 of 3 seconds');
      const cells = page.locator('#cells button');
      expect(await cells.count()).toBe(3);
      await cells.nth(1).click();
      expect(await cells.nth(1).getAttribute('aria-pressed')).toBe('true');
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      const table = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n');
      expect(table).toHaveLength(4);
      expect(table[0]).toMatch(/^second,scene,airport,/);
    });

    it('says what is missing', async () => {
      await page.setInputFiles('#recording', {
        name: 'none.txt',
        mimeType: 'audio/wav',
        buffer: Buffer.from('none'),
      });
      await says('none.txt: this browser finds neither sound nor pictures in it');
      await page.goto(`${without?.url ?? ''}index.html`);
      await says('No model comes with this page');
      expect(await status()).toContain('404');
      expect(await page.isDisabled('#listen')).toBe(true);
    });
  },
);
