import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportRunSafetensors } from '../src/avsc/node/runs/export.ts';
import { nn } from '../src/index.ts';
import { PAGES } from '../web/guide/pages.ts';
import { temporaryFolder } from './avsc/media-files.ts';
import { seriousProblems } from './browser/axe.ts';
import { bundle } from './browser/bundle.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { buildSite, serveSite } from './browser/site.ts';
import { moduleOf, programs, ROOT } from './guide/samples.ts';
import type { FileServer } from './support/file_server.ts';
import { makeRun } from './support/made_run.ts';

/** The site as it is built, by path. */
let site: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = new Map();
beforeAll(async () => {
  site = await buildSite();
});

const textOf = (path: string): string => new TextDecoder().decode(site.get(path));
const idsOf = (html: string): readonly string[] =>
  [...html.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id);

describe('pages of the guide', () => {
  it('are all files of docs/', () => {
    const written = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
    expect(written.sort()).toEqual(PAGES.map((name) => `${name}.md`).sort());
  });

  it('are all in the site, with a title, one h1 and landmarks', () => {
    for (const name of PAGES) {
      const html = textOf(`guide/${name}.html`);
      expect(html).toContain('<html lang="en">');
      expect(html).toMatch(/<title>[^<]+: the guide of wavelight<\/title>/);
      expect(html.match(/<h1>/g)).toHaveLength(1);
      for (const landmark of ['<main>', '<nav aria-label="Site">', 'aria-label="Guide"'])
        expect(html, name).toContain(landmark);
      const ids = idsOf(html);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it('link only to what there is: pages, anchors, images and styles', () => {
    let [links, anchors] = [0, 0];
    const dead = PAGES.flatMap((name) => {
      const path = `guide/${name}.html`;
      // The menu is the site's: its other pages have tests of their own.
      const html = textOf(path).replace(/<nav aria-label="Site">[^]*?<\/nav>/, '');
      return [...html.matchAll(/ (?:href|src)="([^"]*)"/g)].flatMap(([, to = '']) => {
        if (/^(https:|data:)/.test(to)) return [];
        links++;
        const [file = '', anchor] = to.split('#');
        const target = file === '' ? path : posix.join('guide', file);
        if (!site.has(target)) return [`${path}: ${to}`];
        if (anchor === undefined) return [];
        anchors++;
        return idsOf(textOf(target)).includes(anchor) ? [] : [`${path}: ${to}`];
      });
    });
    expect(dead).toEqual([]);
    expect(links).toBeGreaterThan(100);
    expect(anchors).toBeGreaterThan(50);
  });
});

describe.skipIf(NO_CHROMIUM !== null)(
  `the guide in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    const data = temporaryFolder();
    let server: FileServer | undefined;
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;
    const samples = programs('page').map((sample, i) => [sample.where, `sample${i}`, sample] as const);

    beforeAll(async () => {
      mkdirSync(join(ROOT, '.cache'), { recursive: true });
      const folder = mkdtempSync(join(ROOT, '.cache', 'page-samples-'));
      const entries = samples.map(([, name, sample]) => {
        writeFileSync(join(folder, `${name}.ts`), moduleOf(sample));
        return [name, join(folder, `${name}.ts`).slice(ROOT.length + 1)] as const;
      });
      const { files } = await bundle(Object.fromEntries(entries)).finally(() =>
        rmSync(folder, { recursive: true }),
      );
      const model = join(data, 'model.safetensors');
      await exportRunSafetensors(await makeRun(data, 'run'), 'joint', model);

      const net = new nn.Sequential([new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2)]);
      const script = (code: string) => ({ bytes: new TextEncoder().encode(code), type: 'text/javascript' });
      server = await serveSite(site, {
        'blank.html': {
          bytes: new TextEncoder().encode('<!doctype html><link rel="icon" href="data:,">'),
          type: 'text/html',
        },
        'model.safetensors': { bytes: new Uint8Array(readFileSync(model)) },
        'weights.safetensors': { bytes: new Uint8Array(nn.writeSafetensors(await net.stateDict())) },
        ...Object.fromEntries([...files].map(([name, code]) => [name, script(code)])),
      });
      browser = await openChromium(['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream']);
      page = await browser.context.newPage();
    });

    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    it.each(samples)('the sample at %s runs in a page', async (_, name, { prints }) => {
      const lines: string[] = [];
      const note = (message: { text(): string }): void => void lines.push(message.text());
      await page.goto(`${server?.url ?? ''}blank.html`);
      page.on('console', note);
      await page.evaluate(`import('/${name}.js').then(() => undefined)`);
      page.off('console', note);
      if (prints !== null) expect(lines.join('\n')).toBe(prints);
    });

    it('is checked by axe-core, which finds an image without a description and text without contrast', async () => {
      await page.setContent(
        '<!doctype html><html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"><p style="color:#ddd;background:#fff">pale</p></main></html>',
      );
      const problems = await seriousProblems(page);
      expect(problems.map((problem) => problem.split(':')[0])).toEqual(['color-contrast', 'image-alt']);
    });

    it.each(['light', 'dark'] as const)(
      'has no serious problem of accessibility, %s',
      async (colorScheme) => {
        await page.emulateMedia({ colorScheme });
        for (const name of ['start', 'kernels']) {
          await page.goto(`${server?.url ?? ''}guide/${name}.html`);
          expect(await seriousProblems(page), name).toEqual([]);
        }
      },
    );

    it.each([390, 1440])('fits into %i pixels', async (width) => {
      await page.setViewportSize({ width, height: 900 });
      for (const name of PAGES) {
        await page.goto(`${server?.url ?? ''}guide/${name}.html`);
        const scrolled = await page.evaluate<number>('document.documentElement.scrollWidth');
        expect(scrolled, name).toBeLessThanOrEqual(width);
        const broken = await page.evaluate<number>(
          `Promise.all([...document.images].map(async (image) => {
            image.loading = 'eager';
            await image.decode();
            return image.naturalWidth;
          })).then((widths) => widths.filter((width) => width === 0).length)`,
        );
        expect(broken, name).toBe(0);
      }
    });
  },
);
