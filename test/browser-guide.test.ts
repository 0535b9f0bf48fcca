import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousProblems } from './browser/axe.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';

describe.skipIf(NO_CHROMIUM !== null)(
  `the guide in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;

    beforeAll(async () => {
      browser = await openChromium();
      page = await browser.context.newPage();
    });

    afterAll(async () => {
      await browser?.close();
    });

    it('is checked by axe-core, which finds an image without a description and text without contrast', async () => {
      await page.setContent(
        '<!doctype html><html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"><p style="color:#ddd;background:#fff">pale</p></main></html>',
      );
      const problems = await seriousProblems(page);
      expect(problems.map((problem) => problem.split(':')[0])).toEqual(['color-contrast', 'image-alt']);
      expect(problems[0]).toContain('p');
    });
  },
);
