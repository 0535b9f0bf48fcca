import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nn } from '../../src/node.ts';

describe('nn.openCheckpoint in Node', () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wavelight-path-'));
    path = join(folder, 'two words#.safetensors');
    await writeFile(path, nn.writeSafetensors(new Map([['w', { shape: [1], data: Float32Array.of(2) }]])));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('opens paths and file: URLs', async () => {
    const url = pathToFileURL(path);
    for (const source of [path, relative(process.cwd(), path), url, url.href]) {
      const { tensors } = await nn.openCheckpoint(source);
      expect(await tensors.get('w')?.read()).toEqual({ shape: [1], data: Float32Array.of(2) });
    }
  });

  it('says what is wrong with a path, once', async () => {
    await expect(nn.openCheckpoint(join(folder, 'none'))).rejects.toThrow(/^\/.+none does not exist$/);
    await expect(nn.openCheckpoint(folder)).rejects.toThrow('is a directory, not a file');
    const text = join(folder, 'text');
    await writeFile(text, 'abcdefgh');
    await expect(nn.openCheckpoint(text)).rejects.toThrow(`${text}: not a checkpoint of a kind that is read`);
  });

  it('does not read another file than it opened', async () => {
    const { tensors } = await nn.openCheckpoint(path);
    await writeFile(path, nn.writeSafetensors(new Map([['v', { shape: [2], data: Float32Array.of(2, 3) }]])));
    await expect(tensors.get('w')?.read()).rejects.toThrow('changed while it was read: open it again');
  });
});
