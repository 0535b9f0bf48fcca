// npm does not pass on every signal, and cannot when it is killed, so a process that it started looks for it once a second.

import { readFileSync } from 'node:fs';

const EVERY_MS = 1000;

/**
 * Calls `onEnd` once when the npm, or the shell, that runs this process as a script has ended. Does nothing for a process that npm did not
 * start, or that has a session of its own (setsid), which is meant to outlive its parent. Returns a function that ends the watch.
 */
export function watchNpm(onEnd: () => void): () => void {
  if (process.env['npm_lifecycle_event'] === undefined || isSessionLeader()) return () => undefined;
  const parents = findParents();
  const timer = setInterval(() => {
    if (!isOrphan(parents) && findParents().join() === parents.join()) return;
    clearInterval(timer);
    onEnd();
  }, EVERY_MS).unref();
  return () => clearInterval(timer);
}

/** Process numbers from the parent up to npm: shells and our own wrapper (bin/wavelight.js) may lie in between. */
function findParents(): readonly number[] {
  const parents = [process.ppid];
  let stat = readStat(process.ppid);
  if (stat !== null && process.connected) stat = add(stat.parent);
  while (stat !== null && /^(ba|da|a|z|k)?sh$/.test(stat.name)) stat = add(stat.parent);
  return parents;

  function add(pid: number): Stat | null {
    parents.push(pid);
    return readStat(pid);
  }
}

/** npm had ended before the watch began: the system's first process adopted what it left. It is npm itself in some containers. */
function isOrphan(parents: readonly number[]): boolean {
  const top = parents.at(-1);
  return top === 1 && !/node|npm|npx|pnpm|yarn|bun/i.test(readStat(top)?.name ?? 'node');
}

interface Stat {
  readonly name: string;
  readonly parent: number;
  readonly session: number;
}

/** What /proc says of a process; null where there is no /proc (not on Linux), or no such process. */
function readStat(pid: number | 'self'): Stat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name is in parentheses and may hold any character.
  const end = text.lastIndexOf(')');
  const [, parent, , session] = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    parent: Number(parent),
    session: Number(session),
  };
}

const isSessionLeader = (): boolean => readStat('self')?.session === process.pid;
