import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Counts } from '../src/gpu/counters.ts';
import type { Device } from '../src/index.ts';
import { bundle, sizeOf, type Bundle } from './browser/bundle.ts';
import { NO_CHROMIUM, openChromium } from './browser/chromium.ts';
import { exampleOf, pageOf, servePages } from './browser/serve.ts';
import { soft } from './browser/soft.ts';
import * as scenario from './browser/scenario.ts';
import type { PageBytes } from './browser/pictures.ts';
import type { Numbers } from './browser/scenario.ts';
import type { FileServer } from './support/file_server.ts';
import { testDevice } from './support/engine.ts';
import { hostBytes, hostValues, pictureOf } from './support/pixels.ts';
import { FULL } from './support/scale.ts';

const ENTRIES = { index: 'src/index.ts', avsc: 'src/avsc/index.ts' };
/** With all that an entry has, loaded on demand or not, in KiB gzipped. */
const LARGEST: Readonly<Record<keyof typeof ENTRIES, number>> = { index: 120, avsc: 136 };

interface Read {
  readonly picture: PageBytes;
  readonly plain: readonly number[];
  readonly resized: readonly number[];
}

describe('the bundle for a browser', () => {
  let made: Bundle;
  beforeAll(async () => {
    made = await bundle(ENTRIES);
  });

  it('holds nothing of Node', () => {
    for (const code of made.files.values()) {
      expect(code.match(/["'`]node:|\brequire\(|\bprocess\.|\bBuffer\.|__dirname/g)).toBeNull();
    }
    expect(made.imports).toEqual([]);
    expect(made.modules.length).toBeGreaterThan(100);
  });

  it('takes no package but fft.js', () => {
    const packages = made.modules.filter((path) => !/^(src|shaders|experiments)\//.test(path));
    expect(
      packages.filter((path) => !path.includes('node_modules/fft.js/') && !path.startsWith('\0')),
    ).toEqual([]);
  });

  it('holds nothing that looks into plans, since nothing imports it', () => {
    expect(made.modules.filter((path) => /^src\/(inspect|gpu\/ceilings)/.test(path))).toEqual([]);
  });

  it('is small', () => {
    for (const [name, largest] of Object.entries(LARGEST)) {
      const { raw, gzip } = sizeOf(made, `${name}.js`);
      console.log(`${name}: ${(raw / 1024).toFixed(0)} KiB, ${(gzip / 1024).toFixed(0)} KiB gzipped`);
      expect(gzip).toBeLessThan(largest * 1024);
    }
  });
});

/** Bytes of the edges in a picture, as examples/video-effect makes them, in f64. */
function hostEdges({ data, width, height }: PageBytes): number[] {
  const grey = (x: number, y: number): number => {
    if (x < 0 || y < 0 || x >= width || y >= height) return 0;
    const [r = 0, g = 0, b = 0] = data.slice(4 * (y * width + x), 4 * (y * width + x) + 3);
    return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
  };
  return Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const at = (dx: number, dy: number): number => grey(x + dx, y + dy);
    const across = at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1);
    const down = at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1);
    return Math.round(Math.min(1, Math.hypot(across, down)) * 255);
  });
}

/** The largest difference of any element beside the largest element of its array. */
function relativeError(got: Numbers, want: Numbers): number {
  expect(Object.keys(got)).toEqual(Object.keys(want));
  const errors = Object.entries(want).map(([name, expected]) => {
    const actual = got[name] ?? [];
    expect(actual.length, name).toBe(expected.length);
    const scale = Math.max(...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? NaN))));
    return worst / scale;
  });
  return Math.max(...errors);
}

describe.skipIf(NO_CHROMIUM !== null)(
  `in Chromium${NO_CHROMIUM === null ? '' : `: skipped, ${NO_CHROMIUM}`}`,
  () => {
    let server: FileServer | undefined;
    let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
    let page: Page;
    let device: Device;

    beforeAll(async () => {
      device = await testDevice();
      const { files } = await bundle({
        ...ENTRIES,
        page: 'test/browser/page.ts',
        example: 'examples/video-effect/main.ts',
      });
      server = await servePages(files, {
        '': pageOf('page.js'),
        example: exampleOf('video-effect', 'example.js'),
      });
      browser = await openChromium();
      page = await browser.context.newPage();
      page.on('pageerror', (error) => console.error(`in the page: ${error.message}`));
      await page.goto(server.url);
    });

    afterAll(async () => {
      await device.destroy();
      await browser?.close();
      await server?.close();
    });

    for (const name of ['convolution', 'training', 'scenes'] as const) {
      it(`${name} gives the numbers that it gives in Node`, async () => {
        const { adapter, numbers } = await page.evaluate<{ adapter: string; numbers: Numbers }>(
          `onDevice('${name}')`,
        );
        const error = relativeError(numbers, await scenario[name](device));
        console.log(
          `${name}: ${adapter} in Chromium beside ${device.description.name} in Node, relative error ${error.toExponential(1)}`,
        );
        expect(error).toBeLessThan(1e-5);
      });
    }

    it("works on the page's own GPUDevice and leaves it alive", async () => {
      const run = await page.evaluate<{ numbers: Numbers; after: number[] }>(`onPagesDevice('shared')`);
      expect(relativeError(run.numbers, await scenario.shared(device))).toBeLessThan(1e-5);
      expect(run.after).toEqual([1, 2, 3, 4]);
    });

    const steps = FULL ? 10_000 : 400;
    it(`${steps} eager steps that dispose nothing hold no more memory in the end`, async () => {
      const held = await page.evaluate<number[]>(`eagerSteps(${steps})`);
      const peak = held.pop() ?? NaN;
      console.log(
        `${steps} steps: ${held.map((size) => size.toFixed(0)).join(' ')} MiB held, ${peak.toFixed(0)} at most`,
      );
      // A step makes 640 KiB: 400 of them 250 MiB.
      expect(peak).toBeLessThan(192);
    }, 300_000);

    // Pictures

    const inPage = <T>(name: string, whose: string, picture: PageBytes, calls = 0): Promise<T> =>
      page.evaluate<T>(
        `withPictures(${JSON.stringify(name)}, ${JSON.stringify(whose)}, ${JSON.stringify(picture)}, ${calls})`,
      );

    /** Hashed bytes without alpha, which canvases would multiply colors by. */
    function opaque(width: number, height: number): PageBytes {
      const data = [...pictureOf(width, height).data].map((byte, i) => (i % 4 === 3 ? 255 : byte));
      return { data, width, height };
    }

    const valuesOf = (bytes: readonly number[]): number[] => hostValues(bytes, [0, 0, 0], [1, 1, 1]);

    it("pictures of every kind become the host's tensors, bit for bit", async () => {
      const results = await inPage<Record<string, Read>>('readAll', 'own', opaque(52, 38));
      expect(Object.keys(results)).toHaveLength(10);
      for (const [name, { picture, plain, resized }] of Object.entries(results)) {
        const { width, height } = picture;
        if (name === 'HTMLVideoElement') {
          const drawn = soft(width, height);
          const off = picture.data.reduce((sum, byte, i) => sum + Math.abs(byte - (drawn[i] ?? NaN)), 0);
          const mean = off / picture.data.length;
          console.log(`a canvas' video of ${width} x ${height}: ${mean.toFixed(2)} of 255 off on average`);
          expect([width, height]).toEqual([64, 48]);
          expect(mean).toBeLessThan(4);
        }
        const shown = hostBytes({ width, height, data: Uint8Array.from(picture.data) }, [height, width]);
        const got = plain.map((value) => Math.round(value * 255));
        expect(plain, name).toEqual(valuesOf(shown));
        const area = width * height;
        const data = Uint8Array.from({ length: 4 * area }, (_, i) =>
          i % 4 === 3 ? 255 : (got[(i % 4) * area + Math.floor(i / 4)] ?? 0),
        );
        const host = hostBytes({ data, width, height }, [21, 40], [17, 30]);
        expect(resized, name).toEqual(valuesOf(host));
      }
    });

    it('tensors are drawn on canvases of every kind, and read back from them', async () => {
      const picture = opaque(45, 27);
      for (const whose of ['own', "page's"]) {
        const drawn = await inPage<Record<string, PageBytes>>('drawAll', whose, picture);
        const { 'a canvas with alpha': alpha, 'a texture': texture, ...exact } = drawn;
        expect(Object.keys(exact)).toHaveLength(4);
        for (const [name, bytes] of Object.entries(exact))
          expect(bytes, `${whose}: ${name}`).toEqual(picture);
        const bytes = { ...picture, data: Uint8Array.from(picture.data) };
        expect(texture?.data).toEqual(hostBytes(bytes, [picture.height, picture.width]));
        // Canvases keep colors times alpha, in bytes.
        const off = (alpha?.data ?? []).map((byte, i) =>
          i % 4 === 3 ? Math.abs(byte - 128) : Math.abs(byte - (picture.data[i] ?? NaN)),
        );
        console.log(`a canvas with half alpha, on ${whose} device: at most ${Math.max(...off)} of 255 off`);
        expect(Math.max(...off)).toBeLessThanOrEqual(1);
      }
    });

    it('frame after frame makes nothing', async () => {
      const { before, after } = await inPage<{ before: Counts; after: Counts }>(
        'readFrames',
        'own',
        opaque(64, 48),
        300,
      );
      expect(after.submits - before.submits).toBe(300);
      expect({ ...after, submits: 0, dispatches: 0 }).toEqual({ ...before, submits: 0, dispatches: 0 });
    });

    it('pictures without pixels are refused', async () => {
      const reasons = await inPage<Record<string, string>>('refusals', 'own', opaque(8, 6));
      expect(reasons).toEqual({
        bitmap: 'RangeError: fromPixels: the picture has no pixels, it was closed',
        frame: 'RangeError: fromPixels: the picture has no pixels, it was closed',
        video:
          "RangeError: fromPixels: the picture has no pixels, it has no frame yet: wait for its event 'loadeddata'",
        image:
          'RangeError: fromPixels: the picture has no pixels, it has not been loaded: await its decode()',
        canvas: 'RangeError: fromPixels: the picture has no pixels: 0 x 150',
        external:
          'TypeError: fromPixels: the picture is a GPUExternalTexture, which does not tell its size: give { texture, width, height }',
        'wide colors':
          "TypeError: fromPixels: the picture has the color space 'display-p3': ask for its data in 'srgb', or give the canvas itself",
        'canvas with 2d':
          "TypeError: toCanvas needs a canvas for WebGPU: this one already has a context of another kind, like '2d'",
      });
    });

    it('an external texture of another size than was said gives NaN', async () => {
      expect(await inPage<boolean[]>('wrongSize', 'own', opaque(12, 9))).toEqual([true, true]);
    });

    it("the example's edges are the host's", async () => {
      const size = { data: [], width: 80, height: 60 };
      const { input, output } = await inPage<Record<'input' | 'output', PageBytes>>('edges', 'own', size);
      const want = hostEdges(input);
      const got = output.data.filter((_, i) => i % 4 === 0);
      const off = got.map((byte, i) => Math.abs(byte - (want[i] ?? NaN)));
      console.log(
        `edges: ${off.filter((one) => one > 0).length} of ${off.length} bytes differ, by ${Math.max(...off)} at most`,
      );
      expect(want.filter((byte) => byte > 128).length).toBeGreaterThan(100);
      expect(Math.max(...off)).toBeLessThanOrEqual(1);
    });

    it('the example runs', async () => {
      const shown = await browser?.context.newPage();
      if (shown === undefined) throw new Error('there is no browser');
      await shown.goto(`${page.url()}example`);
      await shown.waitForFunction(`document.getElementById('status').textContent !== ''`);
      const status = () => shown.locator('#status').textContent();
      expect(await status()).toMatch(/^\d+ frames on /);
      await shown.waitForFunction(`parseInt(document.getElementById('status').textContent) > 10`);
      console.log(`the example: ${(await status()) ?? ''}`);
      await shown.close();
    });
  },
);
