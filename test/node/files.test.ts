import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFile, readError, readSmallFile, writeFileAtomic } from '../../src/node/files.ts';

describe('checkFile', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wavelight-check-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('returns the status of a file and of a link to one', async () => {
    await writeFile(join(folder, 'file'), 'four');
    await symlink('file', join(folder, 'link'));
    expect((await checkFile(join(folder, 'file'))).size).toBe(4);
    expect((await checkFile(join(folder, 'link'))).size).toBe(4);
    expect((await readSmallFile(join(folder, 'link'), 4)).toString()).toBe('four');
    await expect(readSmallFile(join(folder, 'link'), 3)).rejects.toThrow('has 4 bytes, at most 3 are read');
  });

  it('says what else a path is, without opening it', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await symlink('circle', join(folder, 'circle'));
    await writeFile(join(folder, 'plain'), '');
    const server = createServer().listen(join(folder, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const cases: readonly [path: string, message: string][] = [
      [folder, `${folder} is a directory, not a file`],
      [join(folder, 'pipe'), `${join(folder, 'pipe')} is a pipe, not a file`],
      [join(folder, 'socket'), `${join(folder, 'socket')} is a socket, not a file`],
      ['/dev/zero', '/dev/zero is a device, not a file'],
      [join(folder, 'none'), `${join(folder, 'none')} does not exist`],
      ['', 'the empty path does not exist'],
      [
        join(folder, 'plain', 'x'),
        `${join(folder, 'plain', 'x')} does not exist: a part of the path is a file, not a directory`,
      ],
      [
        join(folder, 'circle'),
        `${join(folder, 'circle')} cannot be read: its symbolic links lead in a circle`,
      ],
      ['a\0b', 'a\\u0000b cannot be read: the name contains a NUL byte'],
      ['n'.repeat(300), `${'n'.repeat(300)} cannot be read: the name is too long`],
    ];
    for (const [path, message] of cases) await expect(checkFile(path)).rejects.toMatchObject({ message });
    await new Promise((resolve) => server.close(resolve));
  });

  it('keeps the code of the system call', async () => {
    await expect(checkFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    const denied = Object.assign(new Error("EACCES: permission denied, open 'x'"), { code: 'EACCES' });
    expect(readError(denied, 'x')).toMatchObject({
      message: 'x cannot be read: no permission',
      code: 'EACCES',
    });
  });
});

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
