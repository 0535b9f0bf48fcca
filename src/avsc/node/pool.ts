// Runs jobs on worker threads, one job per thread at a time.

import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { StorageError } from './files.ts';
import type { Job, JobResult, Reply } from './worker.ts';

export interface PoolOptions {
  /** Threads; by default one per core. */
  readonly workers?: number;
  /** Called after each job. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops before the next jobs; those begun are finished, so nothing is left half done. */
  readonly signal?: AbortSignal;
}

/** The outcome of one job: its value, or the sentence that says what is wrong with its input. */
export type Outcome<T> = { readonly value: T } | { readonly problem: string };

// Sources run as they are; after a build the worker lies beside the module that starts it.
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/**
 * Runs all jobs and returns their outcomes in order. A bad input is an outcome;
 * a StorageError, a dead worker and the signal's reason are thrown once the jobs in work are over.
 */
export async function runJobs<J extends Job>(
  jobs: readonly J[],
  { workers = availableParallelism(), onProgress, signal }: PoolOptions = {},
): Promise<Outcome<JobResult<J>>[]> {
  const outcomes: Outcome<JobResult<J>>[] = [];
  let next = 0;
  let done = 0;
  let stopped = false;
  const runThread = async (): Promise<void> => {
    const worker = new Worker(workerUrl);
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    try {
      while (next < jobs.length && !stopped && !signal?.aborted) {
        const index = next++;
        const reply = await ask(worker, jobs[index] as J);
        if (reply.kind === 'storage') throw new StorageError(reply.message);
        outcomes[index] =
          reply.kind === 'value' ? { value: reply.value as JobResult<J> } : { problem: reply.message };
        onProgress?.(++done, jobs.length);
      }
    } catch (error) {
      stopped = true;
      throw error;
    } finally {
      // Not terminate(): FFmpeg may still be at work in the background, and being cut off there aborts the process.
      worker.postMessage(null);
      await ended;
    }
  };
  const count = Math.max(1, Math.min(workers, jobs.length));
  const threads = await Promise.allSettled(Array.from({ length: jobs.length === 0 ? 0 : count }, runThread));
  for (const thread of threads) if (thread.status === 'rejected') throw thread.reason;
  signal?.throwIfAborted();
  return outcomes;
}

async function ask(worker: Worker, job: Job): Promise<Reply> {
  const over = new AbortController();
  try {
    const answered = once(worker, 'message', { signal: over.signal }).then(([reply]) => reply as Reply);
    const ended = once(worker, 'exit', { signal: over.signal }).then(([code]) => {
      throw new Error(`a worker thread ended with code ${code} while it had a job (out of memory?)`);
    });
    worker.postMessage(job);
    return await Promise.race([answered, ended]);
  } finally {
    over.abort();
  }
}
