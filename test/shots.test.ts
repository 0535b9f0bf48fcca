import { it } from 'vitest';
import { readFileSync, mkdtempSync } from 'node:fs';
import { openChromium } from './browser/chromium.ts';
import { fakeDevices } from './browser/fake-devices.ts';
import { buildSite, serveSite } from './browser/site.ts';
const pages = (process.env['SHOTS'] ?? 'index').split(',');
it('x', async () => {
  const files = await buildSite();
  const server = await serveSite(files, {
    'model.safetensors': { bytes: new Uint8Array(readFileSync('web/public/model.safetensors')) },
  });
  const b = await openChromium(fakeDevices(mkdtempSync('/tmp/fd-'), 'park', 6));
  for (const name of pages) {
    const page = await b.context.newPage();
    await page.goto(server.url + name + '.html');
    await page.waitForTimeout(4000);
    if (name === 'index') {
      await page.check('#explain');
      await page.selectOption('#made', 'metro');
      await page.click('#make');
      await page.waitForFunction(`/10 of 10/.test(document.getElementById('status').textContent)`);
      await page.waitForTimeout(1500);
    }
    for (const [w, h] of [
      [390, 844],
      [1440, 900],
    ] as const)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width: w, height: h });
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(300);
        await page.screenshot({
          path: `/tmp/shots/${name.replace('/', '-')}-${w}-${colorScheme}.png`,
          fullPage: true,
        });
      }
    await page.close();
  }
  await b.close();
  await server.close();
}, 200000);
