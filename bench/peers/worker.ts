import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import {
  REPLY_DESCRIPTOR,
  type Checked,
  type Description,
  type Failed,
  type Request,
  type Timed,
} from './protocol.ts';

/** Reply to each kind of request. */
interface Replies {
  readonly describe: Description;
  readonly prepare: object;
  readonly check: Checked;
  readonly time: Timed;
  readonly dispose: object;
}

/** A peer's process. */
export interface Worker {
  readonly alive: boolean;
  /** Rejects with the peer's error, or with the last line of its output if it ended. */
  ask<R extends Request>(request: R): Promise<Replies[R['do']]>;
  close(): Promise<void>;
}

/** Timeout of a request. A few training steps of a slow peer on a software adapter take minutes. */
const PATIENCE_MS = 30 * 60_000;

export function startWorker([command = '', ...args]: readonly string[]): Worker {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  let words = '';
  let ended: string | undefined;
  let waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  const remember = (text: string): void => {
    words = `${words}${text}`.slice(-2000);
  };
  const end = (how: string): void => {
    ended ??= how;
    waiting?.reject(new Error(how));
    waiting = undefined;
  };
  child.stdout.setEncoding('utf8').on('data', remember);
  child.stderr.setEncoding('utf8').on('data', remember);
  // Ignores a broken pipe; the exit of the process is handled below.
  child.stdin.on('error', () => undefined);
  child.on('error', ({ message }) => end(message));
  child.on('close', (code, signal) =>
    end(`its process ended with ${signal ?? code ?? 0}: ${lastLine(words)}`),
  );
  createInterface({ input: child.stdio[REPLY_DESCRIPTOR] as Readable }).on('line', (line) => {
    waiting?.resolve(line);
    waiting = undefined;
  });
  const exchange = (request: Request): Promise<string> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) throw new Error(ended);
      waiting = { resolve, reject };
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  return {
    get alive() {
      return ended === undefined;
    },
    ask: async (request) => {
      const timer = setTimeout(() => {
        end(`no answer within ${PATIENCE_MS / 60_000} minutes`);
        child.kill('SIGKILL');
      }, PATIENCE_MS);
      try {
        const reply = JSON.parse(await exchange(request)) as Replies[(typeof request)['do']] | Failed;
        if ('error' in reply) throw new Error(reply.error);
        return reply;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () =>
      new Promise((resolve) => {
        if (ended !== undefined) return resolve();
        child.on('close', () => resolve());
        child.stdin.end();
      }),
  };
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)?.slice(0, 300) ?? '';
