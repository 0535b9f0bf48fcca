// Runs jobs on child processes, one job per process at a time. A file that crashes or hangs FFmpeg ends its process, and nothing else.

import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { StorageError } from '../../../node/files.ts';
import { assemble, type Piece } from './transfer.ts';
import type { Job, JobResult, Message } from './worker.ts';

export interface PoolOptions {
  /** Processes. Default: one per core. */
  readonly workers?: number;
  /** Called after each job. */
  readonly onProgress?: (done: number, total: number) => void;
  /** When aborted, no further jobs start. Running jobs that write files finish, the others are ended. */
  readonly signal?: AbortSignal;
  /** Time in ms for which a file may be decoded without progress before the process is ended and its job fails. Default: 10 s. */
  readonly patience?: number;
}

/** The outcome of one job: its value, or a sentence about its bad input. */
type Outcome<T> = { readonly value: T } | { readonly problem: string };

// The worker is a source file in a checkout; in a build it lies beside the module that starts it.
const WORKER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url),
);

const PATIENCE_MS = 10_000;
/** Of JavaScript's heap, in MB. The tables of an hour take a tenth; a broken file may make its reader collect without end. */
const HEAP_MB = 320;
/** A process starts within a second, on a machine that is not busy. */
const START_MS = 60_000;

/**
 * Runs all jobs and returns their outcomes in order. A bad input is an outcome, even if it crashes or hangs its process, which is
 * replaced. A StorageError, a process that cannot start and the signal's reason are thrown after the running jobs have finished.
 */
export async function runJobs<J extends Job>(
  jobs: readonly J[],
  { workers = availableParallelism(), onProgress, signal, patience = PATIENCE_MS }: PoolOptions = {},
): Promise<Outcome<JobResult<J>>[]> {
  const outcomes: Outcome<JobResult<J>>[] = [];
  let next = 0;
  let done = 0;
  let stopped = false;
  const runWorker = async (): Promise<void> => {
    let worker: ChildProcess | undefined;
    try {
      while (next < jobs.length && !stopped && !signal?.aborted) {
        const index = next++;
        const job = jobs[index] as J;
        worker ??= await startWorker();
        const outcome = await ask(worker, job, { patience, signal: writes(job) ? undefined : signal });
        outcomes[index] = outcome;
        if (!worker.connected) worker = undefined;
        onProgress?.(++done, jobs.length);
      }
    } catch (error) {
      stopped = true;
      throw error;
    } finally {
      // An idle process has nothing to lose.
      worker?.kill('SIGKILL');
    }
  };
  const count = Math.max(1, Math.min(workers, jobs.length));
  const running = await Promise.allSettled(Array.from({ length: jobs.length === 0 ? 0 : count }, runWorker));
  for (const worker of running) if (worker.status === 'rejected') throw worker.reason;
  signal?.throwIfAborted();
  return outcomes;
}

function startWorker(): Promise<ChildProcess> {
  const worker = fork(WORKER, {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    // Native libraries print; what matters comes as a message.
    stdio: ['ignore', 'ignore', process.env['WAVELIGHT_DEBUG'] ? 'inherit' : 'ignore', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      worker.kill('SIGKILL');
      reject(new Error(why));
    };
    const failStart = (why: string): void =>
      fail(`cannot start a process that decodes: ${why} (see WAVELIGHT_DEBUG=1)`);
    const timer = setTimeout(() => failStart(`it is silent for ${START_MS / 1000} s`), START_MS);
    worker.once('error', (error) => failStart(error.message));
    worker.once('exit', (code, signal) => failStart(`it ended at once (${endOf(code, signal)})`));
    worker.once('message', (message) => {
      const reply = message as Message;
      if (reply.kind === 'problem') {
        fail(reply.message);
        return;
      }
      clearTimeout(timer);
      worker.removeAllListeners();
      resolve(worker);
    });
  });
}

/** The job's outcome. If the process dies, or decodes without progress for `patience` ms, it is ended, and that is the outcome. */
function ask(
  worker: ChildProcess,
  job: Job,
  { patience, signal }: { readonly patience: number; readonly signal: AbortSignal | undefined },
): Promise<Outcome<JobResult<Job>>> {
  return new Promise((resolve, reject) => {
    const pieces: Piece[] = [];
    let file: string | null = null;
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      worker.removeAllListeners();
    };
    const fail = (why: string): void => {
      end();
      worker.kill('SIGKILL');
      if (worker.connected) worker.disconnect();
      resolve({ problem: `${file ?? inputOf(job)} ${why}` });
    };
    const stop = (): void => fail('was not decoded to its end');
    const hung = (): void => fail(`cannot be decoded: no progress for ${patience / 1000} s (broken file?)`);
    signal?.addEventListener('abort', stop);
    worker.on('error', (error) => fail(`cannot be decoded: ${error.message}`));
    worker.on('exit', (code, signal) =>
      fail(`cannot be decoded: its process ended (${endOf(code, signal)}; broken file, or out of memory?)`),
    );
    worker.on('message', (message) => {
      const reply = message as Message;
      switch (reply.kind) {
        case 'ready':
          return;
        case 'decoding':
          file = reply.file;
          clearTimeout(timer);
          if (file !== null) timer = setTimeout(hung, patience);
          return;
        case 'piece':
          pieces.push(reply.piece);
          return;
        case 'value':
          end();
          resolve({ value: assemble(reply.value, pieces) as JobResult<Job> });
          return;
        case 'problem':
          end();
          resolve({ problem: reply.message });
          return;
        case 'storage':
          end();
          reject(new StorageError(reply.message));
          return;
      }
    });
    if (signal?.aborted) stop();
    else worker.send(job);
  });
}

const endOf = (code: number | null, signal: string | null): string => signal ?? `exit code ${code}`;

/** Whether a job writes files, which must not be left half-written. */
function writes({ kind }: Job): boolean {
  switch (kind) {
    case 'prepare':
    case 'extra':
    case 'make':
      return true;
    case 'measure':
    case 'media':
    case 'sound':
      return false;
  }
}

function inputOf(job: Job): string {
  switch (job.kind) {
    case 'prepare':
    case 'measure':
      return job.audio;
    case 'media':
    case 'sound':
    case 'extra':
      return job.path;
    case 'make':
      return job.clip.name;
  }
}
