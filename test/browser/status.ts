import type { Page } from 'playwright-core';

const TIMEOUT = 120_000;

/** Waits until the page's status matches a pattern; gives its text. Throws an Error with what the page says instead. */
export async function statusOf(page: Page, pattern: string): Promise<string> {
  const status = page.locator('#status');
  const matches = `/${pattern}/.test(document.getElementById('status').textContent)`;
  await page.waitForFunction(matches, undefined, { timeout: TIMEOUT }).catch(async (error: unknown) => {
    throw new Error(`the page says: ${(await status.textContent()) ?? ''}`, { cause: error });
  });
  return (await status.textContent()) ?? '';
}
