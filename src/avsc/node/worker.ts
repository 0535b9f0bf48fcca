// The thread that decodes or makes clips; started by pool.ts.

import { parentPort } from 'node:worker_threads';
import { decodeClip, type DecodedClip, type DecodeJob } from './cache.ts';
import { messageOf, StorageError } from './files.ts';
import { writeMadeClip, type MakeJob } from './synth-clip.ts';

export type Job = ({ readonly kind: 'decode' } & DecodeJob) | ({ readonly kind: 'make' } & MakeJob);
export type JobResult<J extends Job> = J extends { readonly kind: 'decode' } ? DecodedClip : null;

/** What the thread answers: the result, what is wrong with the job's input, or that the disk refuses. */
export type Reply =
  | { readonly kind: 'value'; readonly value: DecodedClip | null }
  | { readonly kind: 'problem'; readonly message: string }
  | { readonly kind: 'storage'; readonly message: string };

async function run(job: Job): Promise<DecodedClip | null> {
  switch (job.kind) {
    case 'decode':
      return decodeClip(job);
    case 'make':
      await writeMadeClip(job);
      return null;
  }
}

parentPort?.on('message', (job: Job) => {
  const answer = (reply: Reply): void => parentPort?.postMessage(reply);
  run(job).then(
    (value) => answer({ kind: 'value', value }),
    (error: unknown) =>
      answer({ kind: error instanceof StorageError ? 'storage' : 'problem', message: messageOf(error) }),
  );
});
