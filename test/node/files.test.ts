import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../src/node/files.ts';

describe('writeFileAtomic', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wavelight-files-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('makes the folder, replaces what was there and leaves nothing else', async () => {
    const path = join(folder, 'run', 'model.bin');
    await writeFileAtomic(path, new Uint8Array([1, 2, 3]));
    await writeFileAtomic(path, 'text');
    expect(await readFile(path, 'utf8')).toBe('text');
    expect(await readdir(join(folder, 'run'))).toEqual(['model.bin']);
  });

  it('writes pieces as they come, and nothing where making them fails', async () => {
    const path = join(folder, 'pieces.bin');
    async function* pieces(fail: boolean): AsyncGenerator<Uint8Array> {
      yield new Uint8Array([1, 2]);
      await Promise.resolve();
      if (fail) throw new RangeError('a tensor is short');
      yield new Uint8Array([3]);
    }
    await writeFileAtomic(path, pieces(false));
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    await expect(writeFileAtomic(path, pieces(true))).rejects.toThrow(new RangeError('a tensor is short'));
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect((await readdir(folder)).filter((name) => name.startsWith('pieces'))).toEqual(['pieces.bin']);
  });

  it('keeps the old file and says why it failed', async () => {
    const path = join(folder, 'taken');
    await mkdir(path);
    await writeFile(join(path, 'inside'), 'x');
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow(`cannot write ${path}: `);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(await readdir(path)).toEqual(['inside']);
  });

  it('says so in one sentence when the disk is full', async () => {
    // /dev/full refuses every write with ENOSPC; a link to it stands in for the temporary file.
    const path = join(folder, 'full.bin');
    await symlink('/dev/full', `${path}.${process.pid}.tmp`);
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow(`the disk that holds ${folder} is full`);
    expect((await readdir(folder)).filter((name) => name.startsWith('full'))).toEqual([]);
  });
});
