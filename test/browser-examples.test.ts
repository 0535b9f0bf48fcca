import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from './browser/bundle.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { exampleOf, pageOf, servePages } from './browser/serve.ts';
import type { FileServer } from './support/file_server.ts';

interface Look {
  readonly middle: readonly number[];
  readonly drawn: number;
}

describe.skipIf(NO_CHROMIUM !== null)(
  `examples in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    let server: FileServer | undefined;
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;

    beforeAll(async () => {
      const { files } = await bundle({
        page: 'test/browser/examples.ts',
        three: 'examples/three/main.ts',
        worker: 'examples/worker/main.ts',
      });
      server = await servePages(files, {
        '': pageOf('page.js'),
        three: exampleOf('three', 'three.js'),
        worker: exampleOf('worker', 'worker.js'),
      });
      browser = await openChromium();
      page = await browser.context.newPage();
      page.on('pageerror', (error) => console.error(`in the page: ${error.message}`));
      page.on(
        'console',
        (message) => message.type() === 'error' && console.error(`in the page: ${message.text()}`),
      );
    });

    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    const open = (name: string) => page.goto(`${server?.url ?? ''}${name}`);

    it("three.js draws what the net has painted, on the app's own device", async () => {
      await open('');
      const { first, texel, later, copies } = await page.evaluate<{
        first: Look;
        texel: number[];
        later: Look;
        copies: number;
      }>('threeScene()');
      console.log(
        `three.js: the middle is ${first.middle.join(' ')}, the texture's ${texel.join(' ')}; ${first.drawn} and ${later.drawn} pixels drawn, ${copies} copies`,
      );
      expect(first.drawn).toBeGreaterThan(1000);
      for (const [i, value] of first.middle.entries())
        expect(Math.abs(value - (texel[i] ?? NaN))).toBeLessThan(8);
      expect(later.drawn).not.toBe(first.drawn);
      expect(later.middle).not.toEqual(first.middle);
      expect(copies).toBe(0);
    });

    it('the page of the three.js example runs', async () => {
      await open('three');
      await page.waitForFunction(`/^\\d\\d+ frames on /.test(document.querySelector('p').textContent)`);
    });

    it('the page of the worker trains in it', async () => {
      await open('worker');
      await page.waitForFunction(`document.querySelectorAll('li').length === 10`, undefined, {
        timeout: 60_000,
      });
      const lines = await page.locator('li').allTextContents();
      const losses = lines.map((line) => Number(/^step \d+: loss (\d\.\d+) on /.exec(line)?.[1]));
      console.log(lines.filter((_, i) => i % 9 === 0).join('\n'));
      expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? 0));
    });
  },
);
