import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportAllSafetensors } from '../src/avsc/node/runs/export.ts';
import { moduleOf, programs, ROOT, SAMPLES, type Sample } from './guide/samples.ts';
import { optionNames, problemsOf } from './guide/shell.ts';
import { typeErrors } from './guide/types.ts';
import { temporaryFolder } from './avsc/media-files.ts';
import { makeRun } from './support/made_run.ts';

/** Imports of the package, as the samples run: src/ on the tests' adapter. */
const PACKAGE: Readonly<Record<string, string>> = {
  wavelight: 'test/guide/package.ts',
  'wavelight/avsc': 'src/avsc/index.ts',
  'wavelight/node': 'src/node/index.ts',
  'wavelight/pixels': 'src/pixels.ts',
};

const nameOf = ({ where }: Sample): string => where.replaceAll(/[/.:]/g, '-');

describe('samples of the guide and the README', () => {
  const data = temporaryFolder();
  let folder = '';

  beforeAll(() => {
    mkdirSync(join(ROOT, '.cache'), { recursive: true });
    folder = mkdtempSync(join(ROOT, '.cache', 'samples-'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('are found', () => {
    expect(programs('node').length).toBeGreaterThan(10);
    expect(programs('page').length).toBeGreaterThan(2);
    const other = SAMPLES.filter(
      ({ language, note }) =>
        !/^(ts (|page|from \S+)|wgsl from \S+|(sh|json|html) )$/.test(`${language} ${note}`),
    );
    expect(other.map(({ where }) => where)).toEqual([]);
  });

  it('have the types that the package says', () => {
    const files = [...programs('node'), ...programs('page')].map((sample) => {
      const file = join(folder, `${nameOf(sample)}.ts`);
      writeFileSync(file, moduleOf(sample));
      return file;
    });
    expect(typeErrors(files)).toEqual([]);
  });

  describe('run and print what the page says', () => {
    const cwd = process.cwd();

    beforeAll(async () => {
      await exportAllSafetensors(await makeRun(data, 'run'), join(data, 'model.safetensors'));
      process.chdir(data);
    });

    afterAll(() => {
      process.chdir(cwd);
    });

    it.each(programs('node').map((sample) => [sample.where, sample] as const))('%s', async (_, sample) => {
      const file = join(folder, `run-${nameOf(sample)}.ts`);
      const code = moduleOf(sample).replaceAll(
        /from '(wavelight[\w/]*)'|^import '(wavelight\/pixels)'/gm,
        (whole, from: string | undefined, bare: string | undefined) =>
          whole.replace(from ?? bare ?? '', join(ROOT, PACKAGE[from ?? bare ?? ''] ?? '')),
      );
      writeFileSync(file, code);
      const lines: string[] = [];
      const { log } = console;
      console.log = (...words: unknown[]) => void lines.push(format(...words));
      try {
        await import(file);
      } finally {
        console.log = log;
      }
      if (sample.prints !== null) expect(lines.join('\n')).toBe(sample.prints);
    });
  });

  it('call commands that there are, with options that they have', async () => {
    const lines = SAMPLES.filter(({ language }) => language === 'sh').flatMap(({ code, where }) =>
      code
        .trim()
        .split('\n')
        .map((line) => ({ line, where })),
    );
    expect(lines.length).toBeGreaterThan(20);
    const problems = await Promise.all(
      lines.map(async ({ line, where }) => (await problemsOf(line)).map((problem) => `${where}: ${problem}`)),
    );
    expect(problems.flat()).toEqual([]);
    expect(await problemsOf('npx wavelight train --epoch 3')).toEqual([
      expect.stringContaining("unknown option '--epoch'"),
    ]);
    expect(await problemsOf('node examples/none.ts && npm run none')).toHaveLength(2);
  });

  it('name options in the text that some command has', async () => {
    const names = await optionNames();
    const pages = [...new Set(SAMPLES.map(({ where }) => where.split(':')[0] ?? ''))].filter((file) =>
      file.startsWith('docs/'),
    );
    const unknown = pages.flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/`(--[a-z-]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => !names.has(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('are parts of the files that they are said to be from', () => {
    const parts = SAMPLES.filter(({ note }) => note.startsWith('from '));
    expect(parts.length).toBeGreaterThan(1);
    for (const { note, code, where } of parts)
      expect(readFileSync(join(ROOT, note.slice('from '.length)), 'utf8'), where).toContain(code.trim());
  });
});
