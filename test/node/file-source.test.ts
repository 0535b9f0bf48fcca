import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileSource } from '../../src/node/file-source.ts';

describe('openFileSource', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wavelight-source-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads any range, in memory of its own', async () => {
    const path = join(folder, 'bytes');
    await writeFile(path, new Uint8Array([1, 2, 3, 4, 5]));
    const source = await openFileSource(path);
    expect(source.size).toBe(5);
    const part = await source.read(1, 4);
    expect([...part]).toEqual([2, 3, 4]);
    part.fill(0);
    expect([...(await source.read(0, 5))]).toEqual([1, 2, 3, 4, 5]);
    expect((await source.read(5, 5)).length).toBe(0);
    await expect(source.read(3, 6)).rejects.toThrow('bytes 3 to 6 do not lie within a file of 5 bytes');
    await expect(source.read(-1, 2)).rejects.toThrow('do not lie within');
    await source.close();
  });

  it('says what cannot be read, and why', async () => {
    await expect(openFileSource(join(folder, 'none'))).rejects.toThrow(
      `${join(folder, 'none')} does not exist`,
    );
    await expect(openFileSource(folder)).rejects.toThrow(`${folder} is a directory, not a file`);
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(openFileSource(pipe)).rejects.toThrow(`${pipe} is a pipe, not a file`);
  });

  it('says where a file ends that became shorter', async () => {
    const path = join(folder, 'shrinks');
    await writeFile(path, new Uint8Array(100));
    const source = await openFileSource(path);
    await truncate(path, 40);
    await expect(source.read(0, 100)).rejects.toThrow(`${path} ended at byte 40`);
    await source.close();
  });
});
