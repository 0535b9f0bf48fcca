import { spawn } from 'node:child_process';
import { mkdtemp, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withRunLock } from '../../../../src/avsc/node/runs/lock.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const lockOf = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(path, '.lock-1'), 'utf8')) as Record<string, unknown>;

/** A folder with the lock that this process would write, with other fields. */
async function lockedFolder(name: string, fields: Record<string, unknown>): Promise<string> {
  const path = join(folder, name);
  const own = await withRunLock(join(folder, 'own'), async () => {
    const names = await readdir(join(folder, 'own'));
    return readFile(join(folder, 'own', names[0] ?? ''), 'utf8');
  });
  await mkdir(path);
  await writeFile(join(path, '.lock-1'), JSON.stringify({ ...(JSON.parse(own) as object), ...fields }));
  return path;
}

const take = (path: string): Promise<string> => withRunLock(path, () => Promise.resolve('taken'));

describe('lock of a run', () => {
  it('refuses a second process and names the first, until that gives the folder back', async () => {
    const path = join(folder, 'a');
    await withRunLock(path, async () => {
      expect(await lockOf(path)).toMatchObject({ pid: process.pid, host: hostname() });
      await expect(take(path)).rejects.toThrow(
        new RegExp(
          `^${path} is in use by process ${process.pid} on ${hostname()} since 20.*: wait for its end, or stop it by kill ${process.pid}$`,
        ),
      );
    });
    expect(await take(path)).toBe('taken');
    await expect(withRunLock(path, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await take(path)).toBe('taken');
    expect(await readdir(path)).toHaveLength(1);
  });

  it.skipIf(process.platform !== 'linux').each([
    ['a process that ended', { pid: 2 ** 22 + 1 }],
    ['a number that another process has now', { started: '1' }],
    ['a time before the system started again', { boot: '00000000-0000-0000-0000-000000000000' }],
  ])('takes over the lock of %s (needs /proc)', async (name, fields) => {
    expect(await take(await lockedFolder(name, fields))).toBe('taken');
  });

  it.each([
    ['another host', { host: 'elsewhere' }],
    ['a container', { namespace: 'pid:[1]' }],
  ])('refuses the lock of %s and says how to remove it', async (name, fields) => {
    const path = await lockedFolder(name, fields);
    await expect(take(path)).rejects.toThrow(
      `cannot be checked from ${hostname()}: wait for its end or, if it does not run any more, remove ${path}/.lock-1`,
    );
    await rm(join(path, '.lock-1'));
    expect(await take(path)).toBe('taken');
  });

  it('takes over a lock that its process died before writing', async () => {
    const path = join(folder, 'empty');
    await mkdir(path);
    await writeFile(join(path, '.lock-1'), '');
    const old = new Date(Date.now() - 60_000);
    await utimes(join(path, '.lock-1'), old, old);
    expect(await take(path)).toBe('taken');
  });

  it.skipIf(process.platform !== 'linux')(
    'lets in one of many processes at a time, each of which dies by SIGKILL inside (needs /proc)',
    async () => {
      const path = join(folder, 'contended');
      const holder = fileURLToPath(new URL('./lock_holder.ts', import.meta.url));
      const ends = await Promise.all(
        Array.from({ length: 10 }, () => {
          const child = spawn(process.execPath, [holder, path], { stdio: ['ignore', 'ignore', 'pipe'] });
          let stderr = '';
          child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
          return new Promise<string>((resolve) => {
            child.on('close', (code, signal) => resolve(`${signal ?? code} ${stderr}`));
          });
        }),
      );
      expect(ends).toEqual(Array.from({ length: 10 }, () => 'SIGKILL '));
      expect(await readdir(path)).toEqual(['.lock-10']);
    },
  );
});
