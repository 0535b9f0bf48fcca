// The process that decodes or generates clips; pool.ts starts it.

import { Worker } from 'node:worker_threads';
import { addressSpace, checkAddressSpace } from '../../../node/address-space.ts';
import { messageOf, StorageError } from '../../../node/files.ts';
import type { Wav } from '../../audio/wav.ts';
import type { ExtraJob, MadeExtra } from './extra-clip.ts';
import type { Media, MediaJob } from './media/decode.ts';
import type { MeasureJob, MediaSize } from './media/measure.ts';
import type { PrepareJob, StoredClip } from './prepare-clip.ts';
import type { MakeJob } from './synth-clip.ts';
import { takeApart, type Piece } from './transfer.ts';

/** Input and result of each kind of job. */
interface Jobs {
  readonly prepare: { readonly job: PrepareJob; readonly result: StoredClip };
  readonly measure: { readonly job: MeasureJob; readonly result: MediaSize };
  readonly media: { readonly job: MediaJob; readonly result: Media };
  readonly sound: { readonly job: MediaJob; readonly result: Wav };
  readonly extra: { readonly job: ExtraJob; readonly result: MadeExtra };
  readonly make: { readonly job: MakeJob; readonly result: null };
}

export type Job = { [K in keyof Jobs]: { readonly kind: K } & Jobs[K]['job'] }[keyof Jobs];
export type JobResult<J extends Job> = Jobs[J['kind']]['result'];

/**
 * What the process says: that it is there, or why it cannot work; which file it is
 * decoding, over and over as that comes further; and at last the job's outcome.
 */
export type Message =
  | { readonly kind: 'ready' }
  | { readonly kind: 'decoding'; readonly file: string | null }
  | { readonly kind: 'piece'; readonly piece: Piece }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'problem'; readonly message: string }
  | { readonly kind: 'storage'; readonly message: string };

/** Time in ms after the parent's death in which a running job may finish. */
const LAST_MS = 10_000;
const ALIVE_MS = 500;

/** Modules are loaded on demand: a process that decodes nothing does without FFmpeg. */
async function run(job: Job): Promise<JobResult<Job>> {
  switch (job.kind) {
    case 'prepare':
      return import('./prepare-clip.ts').then(({ prepareClip }) => prepareClip(job, watch));
    case 'measure':
      return import('./media/measure.ts').then(({ measureMedia }) => measureMedia(job, watch));
    case 'media':
      return import('./media/decode.ts').then(({ decodeMedia }) => decodeMedia(job, watched(job.path)));
    case 'sound':
      return import('./media/decode.ts').then(({ decodeSound }) => decodeSound(job.path, watched(job.path)));
    case 'extra':
      return import('./extra-clip.ts').then(({ makeExtra }) => makeExtra(job));
    case 'make':
      await import('./synth-clip.ts').then(({ generateClip }) => generateClip(job));
      return null;
  }
}

/** Resolves when the message is with the parent. If the parent is gone, nobody waits for it. */
function send(message: Message): Promise<void> {
  return new Promise((resolve) => {
    if (process.send && process.connected) process.send(message, () => resolve());
    else resolve();
  });
}

let current: string | null = null;
let last = 0;

/**
 * Says which file is being decoded and that this has come further. Null says that none is: what follows depends on no file's bytes and may
 * take its time. Called often, it sends seldom.
 */
function watch(file: string | null): void {
  const now = performance.now();
  if (file === current && (file === null || now - last < ALIVE_MS)) return;
  last = now;
  current = file;
  void send({ kind: 'decoding', file });
}

/** The heartbeat of a file, which is watched from now on. */
function watched(file: string): () => void {
  watch(file);
  return () => watch(file);
}

async function answer(job: Job): Promise<void> {
  try {
    const value = await run(job);
    watch(null);
    await send({ kind: 'value', value: await takeApart(value, (piece) => send({ kind: 'piece', piece })) });
  } catch (error) {
    watch(null);
    await send({
      kind: error instanceof StorageError ? 'storage' : 'problem',
      message: messageOf(error),
    });
  }
  // Without a parent no further job comes.
  if (!process.connected) process.exit();
}

// Ctrl-C reaches all processes of a terminal. The parent decides when a job is not wanted any more.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

let busy = false;
process.on('message', (job: Job) => {
  busy = true;
  void answer(job).finally(() => (busy = false));
});
process.on('disconnect', () => {
  if (!busy) process.exit();
});

// A second thread ends the process if its parent has died and the job blocks the first one. It wants 800 MB of address space.
if (addressSpace() === null) {
  const parent = process.ppid;
  new Worker(
    `setInterval(() => {
       if (process.ppid !== ${parent}) setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${LAST_MS});
     }, 1000);`,
    { eval: true },
  ).unref();
}

try {
  checkAddressSpace('decoder');
  void send({ kind: 'ready' });
} catch (error) {
  void send({ kind: 'problem', message: messageOf(error) });
}
