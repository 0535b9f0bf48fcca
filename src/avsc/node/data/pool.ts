// Runs jobs on worker threads, one job per thread at a time.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { checkAddressSpace } from '../../../node/address-space.ts';
import { StorageError } from '../../../node/files.ts';
import type { Alive, Job, JobResult, Reply } from './worker.ts';

export interface PoolOptions {
  /** Threads. Default: one per core. */
  readonly workers?: number;
  /** Called after each job. */
  readonly onProgress?: (done: number, total: number) => void;
  /** When aborted, no further jobs start; running jobs finish. */
  readonly signal?: AbortSignal;
  /** Time in ms after which a thread that does not respond is terminated and its job fails. Default: a minute. */
  readonly patience?: number;
}

/** The outcome of one job: its value, or a sentence about its bad input. */
type Outcome<T> = { readonly value: T } | { readonly problem: string };

// The worker is a source file in a checkout; in a build it lies beside the module that starts it.
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

const PATIENCE_MS = 60_000;

interface Thread {
  readonly worker: Worker;
  readonly ended: Promise<unknown>;
}

function startThread(): Thread {
  const worker = new Worker(workerUrl);
  return { worker, ended: new Promise((resolve) => worker.once('exit', resolve)) };
}

/**
 * Runs all jobs and returns their outcomes in order. A bad input is an outcome; a StorageError, a dead worker and the
 * signal's reason are thrown after the running jobs have finished.
 */
export async function runJobs<J extends Job>(
  jobs: readonly J[],
  { workers = availableParallelism(), onProgress, signal, patience = PATIENCE_MS }: PoolOptions = {},
): Promise<Outcome<JobResult<J>>[]> {
  const outcomes: Outcome<JobResult<J>>[] = [];
  let next = 0;
  let done = 0;
  let stopped = false;
  const runThread = async (): Promise<void> => {
    let thread = startThread();
    try {
      while (next < jobs.length && !stopped && !signal?.aborted) {
        const index = next++;
        const job = jobs[index] as J;
        const reply = await ask(thread.worker, job, patience);
        if (reply === undefined) {
          await thread.worker.terminate();
          thread = startThread();
          outcomes[index] = { problem: `${inputOf(job)} keeps the decoder busy without end (broken file?)` };
        } else if (reply.kind === 'storage') {
          throw new StorageError(reply.message);
        } else if (reply.kind === 'problem') {
          outcomes[index] = { problem: reply.message };
        } else {
          outcomes[index] = { value: reply.value as JobResult<J> };
        }
        onProgress?.(++done, jobs.length);
      }
    } catch (error) {
      stopped = true;
      throw error;
    } finally {
      // terminate() would abort the process if FFmpeg still works in the background, so the thread is asked to end.
      thread.worker.postMessage(null);
      await thread.ended;
    }
  };
  const count = Math.max(1, Math.min(workers, jobs.length));
  if (jobs.length > 0) checkAddressSpace('thread', count);
  const threads = await Promise.allSettled(Array.from({ length: jobs.length === 0 ? 0 : count }, runThread));
  for (const thread of threads) if (thread.status === 'rejected') throw thread.reason;
  signal?.throwIfAborted();
  return outcomes;
}

/** The worker's reply; undefined if its event loop was blocked for `patience` ms. */
function ask(worker: Worker, job: Job, patience: number): Promise<Reply | undefined> {
  return new Promise((resolve, reject) => {
    const onMessage = (reply: Reply | Alive): void => {
      if (reply.kind === 'alive') return void timer.refresh();
      settle();
      resolve(reply);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onExit = (code: number): void => {
      settle();
      reject(new Error(`a worker thread ended with code ${code} while it had a job (out of memory?)`));
    };
    const timer = setTimeout(() => {
      settle();
      resolve(undefined);
    }, patience);
    const settle = (): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage(job);
  });
}

function inputOf(job: Job): string {
  switch (job.kind) {
    case 'prepare':
    case 'measure':
      return `${job.audio} or ${job.video}`;
    case 'media':
    case 'extra':
      return job.path;
    case 'make':
      return job.clip.name;
  }
}
