// The worker thread that decodes or generates clips; pool.ts starts it.

import { parentPort } from 'node:worker_threads';
import { checkAddressSpace } from '../../../node/address-space.ts';
import { messageOf, StorageError } from '../../../node/files.ts';
import type { ExtraJob, MadeExtra } from './extra-clip.ts';
import type { Media, MediaJob, MediaSize, MeasureJob } from './media.ts';
import type { PrepareJob, StoredClip } from './prepare-clip.ts';
import type { MakeJob } from './synth-clip.ts';

/** Input and result of each kind of job. */
interface Jobs {
  readonly prepare: { readonly job: PrepareJob; readonly result: StoredClip };
  readonly measure: { readonly job: MeasureJob; readonly result: MediaSize };
  readonly media: { readonly job: MediaJob; readonly result: Media };
  readonly extra: { readonly job: ExtraJob; readonly result: MadeExtra };
  readonly make: { readonly job: MakeJob; readonly result: null };
}

export type Job = { [K in keyof Jobs]: { readonly kind: K } & Jobs[K]['job'] }[keyof Jobs];
export type JobResult<J extends Job> = Jobs[J['kind']]['result'];

/** The thread's reply: the result, a sentence about the job's bad input, or a failure to write. */
export type Reply =
  | { readonly kind: 'value'; readonly value: JobResult<Job> }
  | { readonly kind: 'problem'; readonly message: string }
  | { readonly kind: 'storage'; readonly message: string };

/** Heartbeat, sent every second while the thread's event loop runs, because some broken files make their reader loop. */
export interface Alive {
  readonly kind: 'alive';
}

let checked = false;

/** Modules are loaded on demand: a thread that decodes nothing does without FFmpeg. */
async function run(job: Job): Promise<JobResult<Job>> {
  // Before FFmpeg is loaded; afterwards it has what it needs.
  if (!checked) checkAddressSpace('decoder');
  checked = true;
  switch (job.kind) {
    case 'prepare':
      return import('./prepare-clip.ts').then(({ prepareClip }) => prepareClip(job));
    case 'measure':
      return import('./media.ts').then(({ measureMedia }) => measureMedia(job));
    case 'media':
      return import('./media.ts').then(({ decodeMedia }) => decodeMedia(job));
    case 'extra':
      return import('./extra-clip.ts').then(({ makeExtra }) => makeExtra(job));
    case 'make':
      await import('./synth-clip.ts').then(({ generateClip }) => generateClip(job));
      return null;
  }
}

parentPort?.on('message', (job: Job | null) => {
  // Without its port the thread ends by itself as soon as no work is left.
  if (job === null) {
    parentPort?.close();
    return;
  }
  const alive: Alive = { kind: 'alive' };
  const beat = setInterval(() => parentPort?.postMessage(alive), 1000);
  const answer = (reply: Reply): void => {
    clearInterval(beat);
    parentPort?.postMessage(reply);
  };
  run(job).then(
    (value) => answer({ kind: 'value', value }),
    (error: unknown) =>
      answer({ kind: error instanceof StorageError ? 'storage' : 'problem', message: messageOf(error) }),
  );
});
