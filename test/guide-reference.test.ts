import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './avsc/media-files.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the API reference', () => {
  const folder = temporaryFolder();
  let output = '';
  let pages: readonly string[] = [];
  const textOf = (path: string): string => readFileSync(join(folder, path), 'utf8');

  beforeAll(() => {
    const bin = join(ROOT, 'node_modules', 'typedoc', 'bin', 'typedoc');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [bin, '--options', 'web/guide/typedoc.json', '--out', folder],
      { cwd: ROOT, encoding: 'utf8' },
    );
    output = stdout + stderr;
    // A warning is an error: a type that no entry exports, a link to what is not there.
    if (status !== 0) throw new Error(`typedoc: ${output}`);
    pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.html'),
    );
  }, 120_000);

  it('has every entry of the package', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
    const { entryPoints } = JSON.parse(read('web/guide/typedoc.json')) as { entryPoints: string[] };
    const names = entryPoints.map((path) => /@module (\S+)/.exec(read(posix.join('web/guide', path)))?.[1]);
    const entries = Object.keys(exports).filter((name) => !name.endsWith('.json'));
    expect(names.sort()).toEqual(entries.map((name) => posix.join('wavelight', name)).sort());
    for (const name of entries)
      expect(
        pages.map((page) => page.replace(/^modules\/|\.html$/g, '')),
        output,
      ).toContain(posix.join('wavelight', name).replace('/', '_'));
  });

  it('shows what a user calls, and hides what the engine calls', () => {
    const membersOf = (page: string): readonly string[] =>
      [...textOf(page).matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id);
    const device = membersOf('classes/wavelight.Device.html');
    expect(device).toEqual(expect.arrayContaining(['compile', 'frompixels', 'lost', 'tensor', 'scope']));
    for (const name of ['takerecording', 'claimgradient', 'runtime']) expect(device).not.toContain(name);
    // Methods that are added to the class elsewhere.
    const tensor = membersOf('classes/wavelight.Tensor.html');
    expect(tensor).toEqual(expect.arrayContaining(['matmul', 'backward', 'tocanvas']));
    expect(textOf('types/wavelight_avsc.Modality.html')).toContain('&quot;audio&quot;');
  });

  it('links back to the site, loads nothing from elsewhere, and has no dead link', () => {
    const dead: string[] = [];
    let links = 0;
    for (const page of pages) {
      const html = textOf(page);
      const up = '../'.repeat(page.split('/').length);
      expect(html, page).toContain(`<a class="brand" href="${up}index.html">`);
      expect(html, page).toMatch(/<html[^>]* lang="en"/);
      for (const [, name = '', to = ''] of html.matchAll(/ (href|src)="([^"]*)"/g)) {
        if (/^https?:/.test(to) && name === 'src') dead.push(`${page} loads ${to}`);
        if (/^(https?:|data:|#)/.test(to) || to.startsWith(up)) continue;
        links++;
        const target = posix.join(posix.dirname(page), to.replace(/[#?].*$/, ''));
        if (!existsSync(join(folder, target))) dead.push(`${page}: ${to}`);
      }
      for (const [link = ''] of html.matchAll(/<link [^>]*href="https?:[^>]*>/g))
        dead.push(`${page}: ${link}`);
    }
    expect(dead).toEqual([]);
    expect(links).toBeGreaterThan(10_000);
    console.log(`${pages.length} pages, ${links} links`);
  });
});
