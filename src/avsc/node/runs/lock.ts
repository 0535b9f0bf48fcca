// The lock of a run's folder: one process trains in it at a time.
//
// The folder holds .lock-N, N = 1, 2, ...; the file with the highest N says who has the folder, or that it is free. Whoever takes the folder
// creates the next number, which succeeds for one process only. The highest is never removed, so that a process which paused for long
// between reading and creating finds that its number is not the highest, and gives way.

import { open, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, makeFolder, storageError } from '../../../node/files.ts';

/** The process that has a folder. What a system cannot tell is null. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Id of the start of the system, and of the set of processes (of a container) in which `pid` counts. */
  readonly boot: string | null;
  readonly namespace: string | null;
  /** When the process started, in ticks since the start of the system. A later process with the same number has another one. */
  readonly started: string | null;
  /** When it took the folder, for the reader. */
  readonly since: string;
}

const NAME = /^\.lock-(\d+)$/;
const fileOf = (path: string, number: number): string => join(path, `.lock-${number}`);

/**
 * Calls `work` while this process has the folder of a run, which is created if needed. A lock whose process has ended, by SIGKILL or with
 * the system, is taken over. Throws one sentence that names the process if another one has the folder, a StorageError if the lock cannot be
 * written, and what `work` throws.
 */
export async function withRunLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await makeFolder(path);
  const file = await takeLock(path);
  try {
    return await work();
  } finally {
    await releaseLock(file);
  }
}

/** Returns the lock's file. */
async function takeLock(path: string): Promise<string> {
  const self = await describeSelf();
  for (;;) {
    const found = (await numbersIn(path)).at(-1) ?? 0;
    if (found > 0) await assertFree(path, found, self);
    const own = fileOf(path, found + 1);
    try {
      await writeFile(own, JSON.stringify(self), { flag: 'wx' });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue;
      throw storageError(error, own);
    }
    const numbers = await numbersIn(path);
    const others = numbers.filter((number) => number !== found + 1);
    if (numbers.at(-1) !== found + 1) {
      await rm(own, { force: true });
      continue;
    }
    for (const number of others) await rm(fileOf(path, number), { force: true });
    return own;
  }
}

/** Says in the file that the folder is free. If that fails, the end of this process says it. */
async function releaseLock(file: string): Promise<void> {
  const handle = await open(file, 'r+').catch(() => null);
  try {
    await handle?.truncate();
    await handle?.writeFile('null');
  } catch {
    // The disk is full or gone.
  } finally {
    await handle?.close();
  }
}

/** The numbers of the locks in a folder, in ascending order. */
async function numbersIn(path: string): Promise<number[]> {
  const names = await readdir(path).catch((error: unknown) => Promise.reject(storageError(error, path)));
  return names.flatMap((name) => NAME.exec(name)?.slice(1).map(Number) ?? []).sort((a, b) => a - b);
}

/** Throws if the process of a lock has the folder, or may have it. */
async function assertFree(path: string, number: number, self: Owner): Promise<void> {
  const file = fileOf(path, number);
  const owner = await readOwner(file);
  if (owner === null) return;
  const { pid, host, since, boot, namespace } = owner;
  if (host !== self.host || namespace !== self.namespace) {
    throw new Error(
      `${path} is in use by process ${pid} on ${host} since ${since}, which cannot be checked from ${self.host}: ` +
        `wait for its end or, if it does not run any more, remove ${file}`,
    );
  }
  if (boot !== self.boot || !(await isAlive(owner))) return;
  throw new Error(
    `${path} is in use by process ${pid} on ${host} since ${since}: wait for its end, or stop it by kill ${pid}`,
  );
}

/** Time after which a lock without content is one whose process died before it wrote it. */
const WRITING_MS = 5000;

/** The owner in a lock's file; null if there is none any more. */
async function readOwner(file: string): Promise<Owner | null> {
  for (;;) {
    try {
      return JSON.parse(await readFile(file, 'utf8')) as Owner | null;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null;
      if (!(error instanceof SyntaxError)) throw error;
    }
    const found = await stat(file).catch(() => null);
    if (found === null || Math.abs(Date.now() - found.mtimeMs) > WRITING_MS) return null;
    await sleep(50);
  }
}

async function isAlive({ pid, started }: Owner): Promise<boolean> {
  const stat = await readProcess(pid);
  if (stat !== null) return stat.state !== 'Z' && stat.started === started;
  // On Linux it would have been found.
  if (started !== null || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function describeSelf(): Promise<Owner> {
  const { pid } = process;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return {
    pid,
    host: hostname(),
    boot: boot && boot.trim(),
    namespace: await readlink('/proc/self/ns/pid').catch(() => null),
    started: (await readProcess(pid))?.started ?? null,
    since: new Date().toISOString(),
  };
}

/** State and start of a process from Linux's /proc; null if there is none, or no /proc. */
async function readProcess(pid: number): Promise<{ state: string; started: string } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name is in parentheses and may hold any character.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', started: fields[19] ?? '' };
}
