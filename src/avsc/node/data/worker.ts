// The thread that decodes or makes clips; started by pool.ts.

import { parentPort } from 'node:worker_threads';
import { decodeClip, type DecodedClip, type DecodeJob } from './decode-clip.ts';
import { messageOf, StorageError } from '../../../node/files.ts';
import { decodeMedia, type Media, type MediaJob } from './media.ts';
import { writeMadeClip, type MakeJob } from './synth-clip.ts';

/** What each kind of job is given and gives back. */
interface Jobs {
  readonly decode: { readonly job: DecodeJob; readonly result: DecodedClip };
  readonly media: { readonly job: MediaJob; readonly result: Media };
  readonly make: { readonly job: MakeJob; readonly result: null };
}

export type Job = { [K in keyof Jobs]: { readonly kind: K } & Jobs[K]['job'] }[keyof Jobs];
export type JobResult<J extends Job> = Jobs[J['kind']]['result'];

/** What the thread answers: the result, what is wrong with the job's input, or that the disk refuses. */
export type Reply =
  | { readonly kind: 'value'; readonly value: JobResult<Job> }
  | { readonly kind: 'problem'; readonly message: string }
  | { readonly kind: 'storage'; readonly message: string };

/** Sent every second while the thread's event loop turns: some broken files send their reader round in circles. */
export interface Alive {
  readonly kind: 'alive';
}

async function run(job: Job): Promise<JobResult<Job>> {
  switch (job.kind) {
    case 'decode':
      return decodeClip(job);
    case 'media':
      return decodeMedia(job);
    case 'make':
      await writeMadeClip(job);
      return null;
  }
}

parentPort?.on('message', (job: Job | null) => {
  // The end: the thread ends by itself as soon as nothing is under way.
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
