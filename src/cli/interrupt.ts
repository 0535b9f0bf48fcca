// Ctrl-C and its like: the first asks the work to save and stop, a later one ends the process.

import { fstatSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { isatty } from 'node:tty';
import { errorCode } from '../node/files.ts';
import { watchNpm } from './npm-parent.ts';

type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Exit status of a process that a signal ended, as shells have it. */
const statusOf = (signal: StopSignal): number => 128 + constants.signals[signal];

/** A signal stopped the work. The message says what was saved. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** Exit status of the process: 128 plus the signal's number. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }

  /** The same stop with another message. */
  with(message: string): Interrupted {
    return new Interrupted(message, this.status);
  }
}

/** One Ctrl-C reaches a process several times: from the terminal, and passed on by each parent. */
const SAME_MS = 1000;

const ignore = (): void => undefined;

/**
 * Runs `work` with a signal that SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal) and the end of the npm that started this
 * process abort. After nohup, SIGHUP and the end of npm are ignored. Throws what `work` throws.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const staysAlive = isNohup();
  let isLater = false;
  const stop = (name: StopSignal): void => {
    if (name === 'SIGHUP' && staysAlive) return;
    if (isLater) process.exit(statusOf(name));
    if (controller.signal.aborted) return;
    const message = 'stopped; the same command goes on where this ended';
    controller.abort(new Interrupted(message, statusOf(name)));
    // Signals that came while the event loop was busy are delivered before the immediate, and so still belong to the first.
    setTimeout(() => setImmediate(() => (isLater = true)), SAME_MS).unref();
  };
  for (const name of STOP_SIGNALS) process.on(name, stop);
  // A closed terminal takes no more lines. Without a listener the first of them would end the process before it has saved.
  process.stderr.on('error', ignore);
  const unwatch = staysAlive ? ignore : watchNpm(() => stop('SIGHUP'));
  try {
    return await work(controller.signal);
  } finally {
    unwatch();
    for (const name of STOP_SIGNALS) process.off(name, stop);
  }
}

/**
 * Whether nohup started this process. Node resets the ignored SIGHUP that nohup leaves, so other traces must tell: the variable
 * in which shells name the command, or a stdin that nohup opened for writing only in place of the terminal.
 */
function isNohup(): boolean {
  if (basename(process.env['_'] ?? '') === 'nohup') return true;
  try {
    if (!fstatSync(0).isCharacterDevice() || isatty(0)) return false;
    readSync(0, new Uint8Array(1));
    return false;
  } catch (error) {
    return errorCode(error) === 'EBADF';
  }
}
