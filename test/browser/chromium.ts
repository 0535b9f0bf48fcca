import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';
import { cacheFolders } from '../../src/node/swiftshader.ts';

/** Why there is no browser from npm here; null where there is one. */
export const NO_CHROMIUM =
  process.platform === 'linux' && process.arch === 'x64'
    ? null
    : `npm's Chromium is for x64 Linux only, this is ${process.arch} ${process.platform}`;

/** WebGPU on SwiftShader, and not a word to the network. Canvases and videos lose the device unless all that draws is on Vulkan. */
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-angle=swiftshader',
  '--enable-features=Vulkan,VulkanFromANGLE,DefaultANGLEVulkan',
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts a headless Chromium with WebGPU and further `flags`; `close` ends it and removes its profile. */
export async function openChromium(
  flags: readonly string[] = [],
): Promise<{ context: BrowserContext; close: () => Promise<void> }> {
  const folder = unpackChromium();
  const profile = mkdtempSync(join(tmpdir(), 'wavelight-profile-'));
  // The package's own configuration names folders of Amazon's Lambda, where text would have no glyphs and no width here.
  const fonts = join(profile, 'fonts.conf');
  writeFileSync(
    fonts,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${join(folder, 'fonts')}</dir>` +
      `<cachedir>${join(profile, 'fonts-cache')}</cachedir></fontconfig>`,
  );
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: join(folder, 'chromium'),
    args: [...FLAGS, ...flags],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [join(folder, 'al2023', 'lib'), process.env['LD_LIBRARY_PATH'] ?? '']
        .filter(Boolean)
        .join(':'),
      FONTCONFIG_FILE: fonts,
    },
  });
  const close = async (): Promise<void> => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, close };
}

/**
 * The Chromium of @sparticuz/chromium with the libraries that a bare system lacks, in the cache folder (200 MB, unpacked
 * once). The package unpacks into the folder for temporary files, unsafe with two processes: here each unpacks apart and the first rename wins.
 */
function unpackChromium(): string {
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve('@sparticuz/chromium')), '..', '..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const parent = join(cacheFolders()[0] ?? tmpdir(), 'wavelight');
  const folder = join(parent, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  const temporary = join(parent, `.chromium-${randomUUID()}`);
  mkdirSync(temporary, { recursive: true });
  try {
    const unpack = "import('@sparticuz/chromium').then(({ default: chromium }) => chromium.executablePath())";
    const { status, stderr } = spawnSync(process.execPath, ['-e', unpack], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      // The package adds its libraries where it believes to be in Amazon's Lambda.
      env: { ...process.env, TMPDIR: temporary, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' },
    });
    if (status !== 0) throw new Error(`Chromium cannot be unpacked: ${stderr}`);
    if (!existsSync(folder)) renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}
