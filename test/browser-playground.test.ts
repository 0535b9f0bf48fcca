import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousProblems } from './browser/axe.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { buildSite, serveSite } from './browser/site.ts';
import type { FileServer } from './support/file_server.ts';

/** What each example prints. */
const EXAMPLES: Readonly<Record<string, RegExp>> = {
  'dense-layer': /step 10: loss \d\.\d+/,
  'conv-norm': /step 10: loss \d\.\d+/,
  'dense-block': /\d+ dispatches fused\n\d+ dispatches with each op by itself/,
  pooling:
    /largest Float32Array\(4\) \[5, 7, 13, 15\]\naverage Float32Array\(4\) \[2\.5, 4\.5, 10\.5, 12\.5\]/,
  'cross-entropy': /\(softmax - one-hot\) \/ 2 is at most (0\.0e\+0|[\d.]+e-(7|8|9|10)) away/,
  'gradient-check': /the gradients agree/,
  spiral: /step 150: loss 0\.\d+/,
  'image-filter': /drawn: \[1, 1, 128, 128\], mean 0\.\d+/,
  fcnn: /features \[6, 128, 39\]\nairport +\d+\.\d %/,
  mixup: /step 30: loss \d\.\d+/,
};

describe.skipIf(NO_CHROMIUM !== null)(
  `the playground in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    let files: Awaited<ReturnType<typeof buildSite>>;
    let server: FileServer;
    let browser: Awaited<ReturnType<typeof openChromium>>;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      files = await buildSite();
      server = await serveSite(files);
      browser = await openChromium();
      page = await browser.context.newPage();
      page.on('pageerror', ({ message }) => problems.push(message));
      await page.goto(`${server.url}playground.html`);
      await page.waitForSelector('#editor[data-editor=loaded]');
    });

    afterAll(async () => {
      await browser.close();
      await server.close();
      expect(problems).toEqual([]);
    });

    const says = async (pattern: string): Promise<string> => {
      const status = page.locator('#status');
      await page
        .waitForFunction(`/${pattern}/.test(document.getElementById('status').textContent)`, undefined, {
          timeout: 60_000,
        })
        .catch(async (error: unknown) => {
          const printed = await page.locator('#output').innerText();
          throw new Error(`the page says: ${(await status.textContent()) ?? ''}\n${printed}`, {
            cause: error,
          });
        });
      return (await status.textContent()) ?? '';
    };
    const printed = (): Promise<string> => page.locator('#output').innerText();
    const type = async (code: string): Promise<void> => {
      await page.click('.cm-content');
      await page.keyboard.press('Control+a');
      await page.keyboard.insertText(code);
    };
    /** Share of the picture's pixels that are dark. */
    const darkness = async (): Promise<number> => {
      const shot = await page.locator('#picture canvas').screenshot();
      return await page.evaluate(async (base64) => {
        const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
        const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        pen?.drawImage(bitmap, 0, 0);
        const { data = [] } = pen?.getImageData(0, 0, bitmap.width, bitmap.height) ?? {};
        return Array.from(data).filter((value, i) => i % 4 === 0 && value < 60).length / (data.length / 4);
      }, shot.toString('base64'));
    };
    const open = (tab: string): Promise<void> => page.click(`#tab-${tab}`);

    it('loads little, and no engine, before code is run', async () => {
      const urls = await page.evaluate(() => [
        location.href,
        ...performance.getEntriesByType('resource').map(({ name }) => name),
      ]);
      const loaded = [...files].filter(([name]) => urls.includes(`${server.url}${name}`));
      const bytes = loaded.reduce((sum, [, content]) => sum + gzipSync(content).length, 0);
      console.log(`the first load takes ${loaded.length} files of ${bytes} bytes gzipped`);
      expect(loaded.map(([name]) => name)).toContain('playground.html');
      expect(loaded.length).toBeGreaterThan(4);
      expect(bytes).toBeLessThan(300_000);
      for (const [name, content] of loaded)
        expect(new TextDecoder().decode(content), name).not.toContain('createComputePipelineAsync');
    });

    for (const [name, expected] of Object.entries(EXAMPLES))
      it(`runs ${name}, and shows its plan, WGSL and memory`, async () => {
        await page.selectOption('#example', name);
        await page.click('#run');
        await says('^(Done|It failed)');
        expect(await printed()).toMatch(expected);
        if (name === 'image-filter') {
          const dark = await darkness();
          console.log(`${(100 * dark).toFixed(0)} % of the edges' picture is dark`);
          expect(dark).toBeGreaterThan(0.3);
          expect(dark).toBeLessThan(0.98);
        }
        await open('plan');
        const kernels = page.locator('#plan .kernel');
        expect(await kernels.count()).toBeGreaterThan(0);
        await kernels.first().click();
        expect(await page.locator('#plan .wgsl').textContent()).toMatch(/^\/\/ .*[^]*@compute/);
        if (name === 'dense-block')
          expect(await page.textContent('#fused')).toContain('the activation never lies in memory');
        expect(await page.locator('#memory table').first().innerText()).toMatch(/\d\s[kM]?B/);
        expect(await page.locator('#kernels').innerText()).toMatch(/A call takes|cannot be timed/);
      });

    it('shows the line of an error, and of what is no JavaScript', async () => {
      await page.selectOption('#example', 'mixup');
      await type(
        "import { Device } from 'wavelight';\nconst device = await Device.create();\ndevice.tensor([1, 2], [3]);\n",
      );
      await page.keyboard.press('Control+Enter');
      expect(await says('^It failed')).toMatch(/^It failed in line 3: RangeError: .*\[3\]/);
      await page.click('#output button');
      expect(await page.evaluate(() => getSelection()?.toString())).toContain('device.tensor([1, 2], [3]);');
      await type('async function later() {\n  throw new Error("nobody awaits");\n}\nlater();\n');
      await page.click('#run');
      expect(await says('^It failed')).toBe('It failed in line 2: nobody awaits');
      await type('const a = 1;\nconst b = = 2;\n');
      await page.click('#run');
      expect(await says('^It failed')).toMatch(/^It failed in line 2: SyntaxError: /);
      await type("\nimport { nothing } from 'wavelight';\n");
      await page.click('#run');
      expect(await says('^It failed')).toMatch(
        /^It failed in line 2: .*'wavelight' does not provide an export named 'nothing'/,
      );
      await type("import 'wavelight/node';\n");
      await page.click('#run');
      expect(await says('^It failed')).toContain("line 1: There is no module 'wavelight/node' here");
    });

    it('keeps what was edited, and takes it back', async () => {
      await page.reload();
      await page.waitForSelector('#editor[data-editor=loaded]');
      await page.selectOption('#example', 'mixup');
      expect(await page.locator('.cm-content').innerText()).toContain("import 'wavelight/node'");
      await page.click('#reset');
      expect(await page.locator('.cm-content').innerText()).toContain('// Mixup inside the recorded step');
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([]);
    });

    it('ends an endless loop, and runs the next code', async () => {
      await type("console.log('begun');\nfor (;;) {}\n");
      await page.click('#run');
      await page.waitForFunction(() => document.getElementById('output')?.textContent === 'begun');
      await page.click('#stop');
      await says('^Stopped');
      await type(
        "console.log('alive', new Float32Array(30));\nfor (let i = 0; i < 1000; i++) console.warn(i);\n",
      );
      await page.click('#run');
      await says('^Done');
      expect(await printed()).toMatch(
        /^alive Float32Array\(30\) \[0, .*… 6 more\]\n0\n[^]*\n498\nFurther lines/,
      );
      await page.click('#reset');
    });

    it('runs nothing of a link before it is told to', async () => {
      await type("console.log('from the link', 6 * 7);\n");
      await page.click('#link');
      await says('^The link is');
      const link = page.url();
      expect(link).toMatch(/#code=[\w-]+$/);
      await page.click('#reset');
      const other = await browser.context.newPage();
      await other.goto(link);
      await other.waitForSelector('#editor[data-editor=loaded]');
      expect(await other.locator('.cm-content').innerText()).toContain(
        "console.log('from the link', 6 * 7);",
      );
      expect(await other.isVisible('#stranger')).toBe(true);
      await other.waitForTimeout(300);
      expect([await other.locator('#output').innerText(), other.workers().length]).toEqual(['', 0]);
      await other.click('#run');
      await other.waitForFunction(
        () => document.getElementById('output')?.textContent === 'from the link 42',
      );
      await other.goto('about:blank');
      await other.goto(`${server.url}playground.html#code=AAAA`);
      await other.waitForFunction(() =>
        /cannot be read/.test(document.getElementById('status')?.textContent ?? ''),
      );
      await other.close();
    });

    it('says what is missing, and works without the editor', async () => {
      const other = await browser.context.newPage();
      await other.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'gpu'));
      await other.route('**/codemirror-*.js', (route) => route.abort());
      await other.goto(`${server.url}playground.html`);
      await other.waitForFunction(
        () =>
          document.getElementById('status')?.textContent ===
          'This browser has no WebGPU: use a current Chrome, Edge, Safari or Firefox.',
      );
      await other.fill('#code', "console.log('plain');");
      await other.press('#code', 'Control+Enter');
      expect([await other.getAttribute('#status', 'data-kind'), other.workers().length]).toEqual([
        'problem',
        0,
      ]);
      await other.evaluate(() => localStorage.clear());
      await other.close();
    });

    it('draws the roofline of this device, and the tabs work by keyboard', async () => {
      await page.selectOption('#example', 'dense-layer');
      await page.click('#run');
      await says('^Done');
      await open('plan');
      for (const tab of ['kernels', 'memory', 'fused', 'roofline']) {
        await page.keyboard.press('ArrowRight');
        expect(await page.getAttribute(`#tab-${tab}`, 'aria-selected')).toBe('true');
        expect(await page.isVisible(`#${tab}`)).toBe(true);
      }
      await page.click('#measure');
      await page.waitForSelector('#chart svg');
      const cells = await page.locator('#chart table').first().locator('td').allInnerTexts();
      console.log(cells.join(', '));
      expect(cells).toHaveLength(7);
      for (const cell of cells.filter((text) => !text.startsWith('needs'))) {
        expect(Number.parseFloat(cell)).toBeGreaterThan(0);
        expect(Number.isFinite(Number.parseFloat(cell))).toBe(true);
      }
      const places = await page
        .locator('#chart circle, #chart polyline')
        .evaluateAll((shapes) =>
          shapes.map((shape) => `${shape.getAttribute('points') ?? ''} ${shape.getAttribute('cx') ?? ''}`),
        );
      expect(places.join()).not.toMatch(/NaN|Infinity/);
      const [label] = await page
        .locator('#chart svg')
        .evaluateAll(([chart]) => [chart?.getAttribute('aria-label') ?? '']);
      console.log(label);
      const dots = await page.locator('#chart circle').count();
      expect(label).toContain(`${dots} kernels`);
    });

    it.each([
      [1440, 'light', ['plan', 'roofline']],
      [390, 'dark', ['plan', 'kernels', 'memory', 'fused', 'roofline']],
    ] as const)('has no serious fault for axe at %i px, %s', async (width, colorScheme, tabs) => {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide).toBeLessThanOrEqual(0);
      for (const tab of tabs) {
        await open(tab);
        if (tab === 'plan') await page.locator('#plan .kernel').first().click();
        expect(await seriousProblems(page), tab).toEqual([]);
      }
    });
  },
);
