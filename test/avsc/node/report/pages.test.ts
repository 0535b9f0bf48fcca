import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../../../src/avsc/node/report/data.ts';
import { renderRunReport } from '../../../../src/avsc/node/report/run.ts';
import { renderTableReport } from '../../../../src/avsc/node/report/table.ts';
import { NO_CHROMIUM, openChromium } from '../../../browser/chromium.ts';
import { temporaryFolder } from '../../media-files.ts';
import { PLAN, runReport, tableReport } from './reports.ts';

const HOSTILE = `</script><script>hit=1</script><img src=x onerror="hit=1">"'><!--<script>`;

let made: Promise<RunReport> | undefined;
const threeStages = (): Promise<RunReport> => (made ??= runReport());

describe('what a report refuses', () => {
  it('needs a result of the final model', async () => {
    const report = { ...(await threeStages()), final: 'ensemble' };
    await expect(renderRunReport(report)).rejects.toThrow(
      'final model is ensemble, but there are results of audio, video, joint only',
    );
  });

  it('takes pictures from data: URIs only', async () => {
    const report = await threeStages();
    for (const uri of [
      'https://example.com/a.png',
      'data:text/html;base64,AAAA',
      'a.png',
      'data:image/svg+xml;base64,AA',
    ]) {
      const examples = report.examples.map((example) => ({ ...example, spectrogram: uri }));
      await expect(renderRunReport({ ...report, examples })).rejects.toThrow(`got ${uri}`);
    }
  });

  it('links to files beside it only', async () => {
    const report = tableReport('full');
    for (const link of [
      'https://example.com',
      '//example.com',
      '/etc/passwd',
      'javascript:hit=1',
      'a?b',
      'a\\b',
      '',
    ]) {
      const rows = report.rows.map((row) => ({ ...row, report: link }));
      await expect(renderTableReport({ ...report, rows })).rejects.toThrow('relative paths');
    }
  });
});

describe.skipIf(NO_CHROMIUM !== null)(
  `reports in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    const folder = temporaryFolder();
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    beforeAll(async () => {
      browser = await openChromium();
    });
    afterAll(() => browser?.close());

    /** Calls `look` with the page, then fails on any request, error or word in the console, and on what moved or overflows. */
    async function open(html: string, width: number, look: (page: Page) => Promise<void>): Promise<void> {
      const file = join(folder, 'report.html');
      writeFileSync(file, html);
      const page = await browser?.context.newPage();
      if (page === undefined) throw new Error('no browser');
      const offences: string[] = [];
      const { href } = pathToFileURL(file);
      page.on('request', (request) => {
        if (request.url() !== href && !request.url().startsWith('data:'))
          offences.push(`request ${request.url()}`);
      });
      page.on('pageerror', (error) => offences.push(error.message));
      page.on('console', (message) => offences.push(message.text()));
      await page.addInitScript(() => {
        new PerformanceObserver((list) => {
          const shift = list
            .getEntries()
            .reduce((sum, entry) => sum + Number(Reflect.get(entry, 'value')), 0);
          Reflect.set(window, 'shift', Number(Reflect.get(window, 'shift') ?? 0) + shift);
        }).observe({ type: 'layout-shift', buffered: true });
      });
      try {
        await page.setViewportSize({ width, height: 900 });
        await page.goto(href);
        expect(await page.evaluate(() => Number(Reflect.get(window, 'shift') ?? 0))).toBe(0);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
        await look(page);
        expect(offences).toEqual([]);
      } finally {
        await page.close();
      }
    }

    /** The points of single steps: the first dots of the loss chart. */
    const stepDots = (page: Page): Locator =>
      page.locator('#loss-chart [aria-label="dot"]').first().locator('circle');

    /** The words of the tooltip over a chart, the pointer at a fraction of its width and height. */
    async function tooltip(page: Page, id: string, x: number, y: number): Promise<string> {
      const host = page.locator(`#${id}`);
      await host.scrollIntoViewIfNeeded();
      const box = await host.boundingBox();
      if (box === null) throw new Error(`no chart ${id}`);
      await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
      const words = page.locator(`#${id} [aria-label="tip"] text > tspan`);
      await words.first().waitFor();
      return (await words.allTextContents()).map((line) => line.replace('\u200b', '')).join('; ');
    }

    it('draws a run with three stages', async () => {
      const report = await threeStages();
      const html = await renderRunReport(report);
      expect(html.length).toBeLessThan(5e6);
      await open(html, 1400, async (page) => {
        const count = (selector: string): Promise<number> => page.locator(selector).count();
        expect(await stepDots(page).count()).toBe(400);
        expect(await count('#loss-chart [aria-label="line"] path')).toBe(3);
        for (const id of [
          'epoch-loss',
          'validation-accuracy',
          'validation-log-loss',
          'time-steps',
          'time-waiting',
        ]) {
          expect(await count(`#${id} [aria-label="line"] path`), id).toBe(3);
          expect(await count(`#${id} [aria-label="dot"] circle`), id).toBe(20);
        }
        expect(await count('#learning-rate [aria-label="line"] path')).toBe(3);
        expect(await count('#class-chart [aria-label="bar"] path')).toBe(30);
        expect(await count('#confusion-chart [aria-label="cell"] rect')).toBe(200);
        expect(await count('.card .chart svg')).toBe(15);
        expect(await count('#augmentation img')).toBe(12);
        const { joint } = report.results;
        expect(await page.locator('.figure b').first().textContent()).toBe(
          `${(100 * (joint?.accuracy.macro ?? NaN)).toFixed(1)} %`,
        );
        expect(await page.locator('tbody tr.final').textContent()).toContain('Both extractors, MLP');
      });
    });

    it('shows values under the pointer', async () => {
      const report = await threeStages();
      await open(await renderRunReport(report), 1400, async (page) => {
        const loss = await tooltip(page, 'loss-chart', 0.9, 0.5);
        const [, step] = /step (\d+);/.exec(loss) ?? [];
        const at = report.steps.filter(({ stage }) => stage === 'audio')[Number(step) - 1];
        expect(at).toBeDefined();
        expect(loss).toContain('model audio');
        expect(loss).toContain(`epoch ${at?.epoch}`);
        expect(loss).toContain(`loss ${at?.loss.toFixed(4)}`);
        expect(loss).toContain('learning rate ');
        expect(await tooltip(page, 'validation-accuracy', 0.9, 0.5)).toMatch(
          /^model audio; epoch \d+; accuracy \d\d\.\d %$/,
        );
        expect(await tooltip(page, 'class-chart', 0.5, 0.5)).toMatch(
          /^scene .*; accuracy .* %; log loss .*; samples \d+$/,
        );
        expect(await tooltip(page, 'confusion-chart', 0.6, 0.6)).toMatch(
          /true scene .*; recognized as .*; samples \d+ of \d+$/,
        );
        expect(await tooltip(page, 'example-0', 0.6, 0.5)).toMatch(
          /; audio: .* %; video: .* %; joint: .* %$/,
        );
      });
    });

    it('hides stages, changes the scale and the model of the matrix', async () => {
      const report = await threeStages();
      await open(await renderRunReport(report), 1400, async (page) => {
        const lines = page.locator('#loss-chart [aria-label="line"] path');
        const ticks = page.locator('#loss-chart [aria-label="y-axis tick label"] text');
        await page.locator('input[name="loss-chart-stage"][value="audio"]').uncheck();
        expect(await lines.count()).toBe(2);
        expect(await ticks.first().textContent()).toBe('0.0');
        await page.locator('input[name="loss-chart-log"]').check();
        expect(Number(await ticks.first().textContent())).toBeGreaterThan(0);
        const numbers = (): Promise<string[]> =>
          page.locator('#confusion-chart [aria-label="text"] text').allTextContents();
        const shares = (model: string): string[] =>
          (report.results[model]?.confusion ?? []).flatMap((row) => {
            const total = row.reduce((sum, value) => sum + value, 0);
            return row
              .filter((value) => value > 0)
              .map((value) => ((100 * value) / total).toFixed(value === total ? 0 : 1));
          });
        expect((await numbers()).filter((text) => text !== '')).toEqual(shares('joint'));
        await page.locator('.segments label', { hasText: 'audio' }).click();
        expect((await numbers()).filter((text) => text !== '')).toEqual(shares('audio'));
      });
    });

    it('fits a phone, in the dark', async () => {
      await open(await renderRunReport(await threeStages()), 390, async (page) => {
        const wide = await page.evaluate(
          () =>
            [...document.querySelectorAll('.chart svg')].filter(
              (svg) => svg.getBoundingClientRect().right > innerWidth,
            ).length,
        );
        expect(wide).toBe(0);
        await page.emulateMedia({ colorScheme: 'dark' });
        const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(color).toBe('rgb(16, 19, 23)');
      });
    });

    it('marks the section on screen', async () => {
      await open(await renderRunReport(await threeStages()), 1400, async (page) => {
        const current = page.locator('nav a[aria-current="true"]');
        expect(await current.allTextContents()).toEqual(['Result']);
        await page.locator('nav a', { hasText: 'Confusion' }).click();
        await page.waitForFunction(
          () => document.querySelector('nav a[aria-current="true"]')?.textContent === 'Confusion',
        );
        expect(await current.count()).toBe(1);
      });
    });

    it('draws a long stage as a band beside short ones', async () => {
      const [audio, video] = PLAN;
      if (audio === undefined || video === undefined) throw new Error('no plan');
      const report = await runReport([{ ...audio, epochs: 127, stepsPerEpoch: 100 }, video]);
      await open(await renderRunReport(report), 1400, async (page) => {
        const ticks = page.locator('#loss-chart [aria-label="x-axis tick label"] text');
        expect(await page.locator('#loss-chart [aria-label="area"] path').count()).toBe(1);
        expect(await stepDots(page).count()).toBe(100);
        expect(await ticks.last().textContent()).toBe('100 %');
        expect(await tooltip(page, 'loss-chart', 0.9, 0.5)).toMatch(/range around it \d\.\d{4} to \d\.\d{4}/);
        await page.locator('input[name="loss-chart-align"]').uncheck();
        expect(await ticks.last().textContent()).toMatch(/^1\d,000$/);
        // 127 dots would hide their line.
        expect(await page.locator('#epoch-loss [aria-label="dot"]').first().locator('circle').count()).toBe(
          5,
        );
      });
    });

    it('shows hostile names as text', async () => {
      const plan = PLAN.map((stage) => ({ ...stage, id: `${stage.id}${HOSTILE}`, what: HOSTILE }));
      const report = await runReport(plan);
      const html = await renderRunReport({
        ...report,
        title: HOSTILE,
        description: HOSTILE,
        data: HOSTILE,
        device: HOSTILE,
        finished: HOSTILE,
        examples: report.examples.map((example) => ({ ...example, clip: HOSTILE })),
        augmentations: report.augmentations.map((augmentation) => ({
          ...augmentation,
          name: HOSTILE,
          what: HOSTILE,
        })),
        experiment: { [HOSTILE]: HOSTILE },
      });
      const look = async (page: Page): Promise<void> => {
        expect(await page.locator('h1').textContent()).toBe(HOSTILE);
        expect(await page.locator('[onerror], img[src="x"]').count()).toBe(0);
        expect(await page.evaluate(() => Reflect.get(window, 'hit') as unknown)).toBeUndefined();
      };
      await open(html, 1400, async (page) => {
        await look(page);
        expect(await tooltip(page, 'loss-chart', 0.9, 0.5)).toContain('model audio</script>');
        expect(await page.locator('pre').textContent()).toContain(JSON.stringify(HOSTILE));
        expect(await page.locator('#loss-chart [aria-label="line"] path').count()).toBe(3);
      });
      const table = tableReport('full');
      const rows = table.rows.map((row) => ({
        ...row,
        id: `${row.id}${HOSTILE}`,
        label: HOSTILE,
        note: HOSTILE,
      }));
      const of = { ...table, title: HOSTILE, what: HOSTILE, data: HOSTILE, device: HOSTILE, rows };
      await open(await renderTableReport(of), 1400, look);
    });

    it('leads nowhere', async () => {
      const pages = [
        await renderRunReport(await threeStages()),
        await renderTableReport(tableReport('full')),
      ];
      for (const html of pages) {
        await open(html, 1400, async (page) => {
          const addresses = await page.evaluate(() =>
            [...document.querySelectorAll('*')].flatMap((element) =>
              ['src', 'href', 'srcset', 'action', 'xlink:href', 'data'].flatMap(
                (name) => element.getAttribute(name) ?? [],
              ),
            ),
          );
          expect(addresses.length).toBeGreaterThan(2);
          expect(addresses.filter((address) => !/^(#|data:|row-\d\/report\.html$)/.test(address))).toEqual(
            [],
          );
        });
      }
    });

    it('leaves out what a run lacks', async () => {
      const report = await threeStages();
      const bare = { ...report, steps: [], epochs: [], timings: [], examples: [], augmentations: [] };
      await open(await renderRunReport(bare), 390, async (page) => {
        expect(await page.locator('nav a').allTextContents()).toEqual([
          'Result',
          'Classes',
          'Confusion',
          'Experiment',
        ]);
      });
    });

    it('says which losses are not finite', async () => {
      const report = await threeStages();
      const steps = report.steps.map((step, i) => (i === 7 ? { ...step, loss: NaN } : step));
      await open(await renderRunReport({ ...report, steps }), 1400, async (page) => {
        expect(await page.locator('.notice').textContent()).toContain('1 step');
        expect(await stepDots(page).count()).toBe(399);
      });
    });

    it('compares a table with the paper', async () => {
      const report = tableReport('full');
      await open(await renderTableReport(report), 1400, async (page) => {
        expect(await page.locator('.banner').count()).toBe(0);
        const done = report.rows.filter(({ accuracy }) => accuracy !== null).length;
        expect(await page.locator('#comparison-chart [aria-label="link"] path').count()).toBe(done);
        expect(await page.locator('#comparison-chart [aria-label="dot"] circle').count()).toBe(
          done + report.rows.length,
        );
        expect(await page.locator('tbody tr').count()).toBe(report.rows.length);
        expect(await page.locator('tbody a').count()).toBe(done);
        expect(await page.locator('.chip').allTextContents()).toEqual([
          'done', 'reconstructed', 'done', 'done', 'failed', 'done', 'done', 'published', 'quoted', 'waiting', 'done',
        ]); // prettier-ignore
        const words = await tooltip(page, 'comparison-chart', 0.7, 0.5);
        expect(words).toMatch(
          /^row .*; paper 92\.2 %; ours \d\d\.\d %; difference [−+]\d\.\d points; status done$/,
        );
      });
    });

    it('warns of smoke scale', async () => {
      await open(await renderTableReport(tableReport('smoke')), 390, async (page) => {
        expect(await page.locator('.banner').textContent()).toContain('these numbers mean nothing');
        expect(await page.locator('.figure').count()).toBe(1);
      });
    });
  },
);
