import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/wavelight.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the command line in a process of its own. */
export function start(
  args: readonly string[],
  cwd: string,
): { child: ChildProcess; finished: Promise<Finished> } {
  return follow(spawn(process.execPath, [BIN, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Runs a script of bash, in which `wavelight` is the command line. */
export function shell(script: string, cwd: string): Promise<Finished> {
  const command = `wavelight() { '${process.execPath}' '${BIN}' "$@"; }\n${script}`;
  return follow(spawn('bash', ['-c', command], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })).finished;
}

function follow(child: ChildProcessByStdio<null, Readable, Readable>): {
  child: ChildProcess;
  finished: Promise<Finished>;
} {
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished };
}

export function wavelight(args: readonly string[], cwd: string): Promise<Finished> {
  return start(args, cwd).finished;
}
