// Processes with all that they start, and signals to some of them. Needs /proc of Linux.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = fileURLToPath(new URL('../../bin/wavelight.js', import.meta.url));
export const HAS_PROC = existsSync('/proc/self/stat');

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** What it and its children wrote on stderr. */
  readonly stderr: string;
}

export interface Session {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The end of the started process alone; the others of its session may go on. */
  readonly ended: Promise<Ended>;
  /** All that came on stderr so far. */
  stderr(): string;
}

/** Starts a command in a session and process group of its own, as a terminal does. */
export function startSession(
  command: string,
  args: readonly string[],
  { cwd, env = process.env }: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Session {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('exit', (code, signal) => resolve({ code, signal, stderr }));
  });
  if (child.pid === undefined) throw new Error(`cannot start ${command}`);
  return { child, pid: child.pid, ended, stderr: () => stderr };
}

interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** The live processes of a session. A zombie has ended already. */
export function processesOf(session: number): readonly ProcessInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent, , id] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(id) !== session || state === 'Z') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      // It has just ended.
      return [];
    }
  });
}

/** The process of a session that does the work: the last in the chain of those that run bin/wavelight.js. Undefined before it runs. */
export function workerOf(session: number): ProcessInfo | undefined {
  const found = processesOf(session).filter(({ command }) => /^\S*node\s.*wavelight\.js/.test(command));
  return found.find(({ pid }) => !found.some(({ parent }) => parent === pid));
}

/** Seconds until a session has no process any more; null, after killing them, if some are left after `limit` seconds. */
export async function waitForEmpty(session: number, limit: number): Promise<number | null> {
  const started = performance.now();
  for (;;) {
    const left = processesOf(session);
    const seconds = (performance.now() - started) / 1000;
    if (left.length === 0) return seconds;
    if (seconds > limit) {
      for (const { pid } of left) process.kill(pid, 'SIGKILL');
      return null;
    }
    await sleep(20);
  }
}

/** Makes Node take itself for a version that does not run TypeScript, so that bin/wavelight.js starts the pinned one as its child. */
export const AS_OLD_NODE: readonly string[] = [
  '--import',
  `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}})`,
];
