// Extra clips beside those of a training set: their sound is changed offline, their pictures and labels are the originals' (the paper's audio
// augmentation that makes more data).

import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { planExtras, type ExtraClip } from '../../augment/sound/extras.ts';
import { SOUND_OPERATIONS, type SoundOperationName } from '../../augment/sound/index.ts';
import { randomStream, uniform } from '../../dataset/random.ts';
import type { InputName } from '../../features/inputs.ts';
import { makeFolder, writeFileAtomic } from '../../../node/files.ts';
import { soundBytes } from './clip-file.ts';
import { derivedBytes, derivedPath } from './derive.ts';
import type { ExtraJob, MadeExtra } from './extra-clip.ts';
import { FILES_AT_ONCE, mapLimited } from './limit.ts';
import { runJobs, type PoolOptions } from './pool.ts';
import { fileNameOf } from './prepare-clip.ts';
import { removeStale, type PrepareOptions, type PreparedClip } from './prepare.ts';
import { fileBytes, sizeOf } from './records.ts';
import { requireSpace } from './space.ts';
import { areVerified, rememberVerified } from './verified.ts';

export interface ExtrasOptions extends PoolOptions, Pick<PrepareOptions, 'cache' | 'verify' | 'onEstimate'> {}

/** To be increased when the layout of an extra clip or an operation changes. */
const VERSION = 1;
/** Inputs of sound do not depend on the size; log-mel features are scaled as for training. */
const OPTIONS = { size: 0, scaling: 'sample' } as const;

/**
 * The extra clips of a training set (`planExtras`), in the order planned. Those that are not in the store are made, with the sound inputs that
 * the first clip has; what an interrupted run made is kept. A list of them is written to extras/HASH/manifest.json below the store.
 * Throws an Error for a clip without a label, a RangeError for numbers of copies out of range, a StorageError of one sentence if
 * the disk has too little space or is full, and the signal's reason when it was stopped.
 */
export async function makeExtras(
  clips: readonly PreparedClip[],
  copies: Readonly<Partial<Record<SoundOperationName, number>>>,
  seed: number,
  { cache, verify = true, onEstimate, ...pool }: ExtrasOptions,
): Promise<PreparedClip[]> {
  const plan = planExtras(clips.map(labelled), copies, seed);
  if (plan.length === 0) return [];
  const folder = join(cache, 'extras');
  await makeFolder(folder);
  await removeStale(folder);
  const named = new Map(clips.map((clip) => [clip.name, clip]));
  const inputs = (Object.keys(clips[0]?.derived ?? {}) as InputName[]).filter((input) => input !== 'frames');
  const tasks = plan.map((extra) => taskOf(extra, named, folder, inputs, verify));
  await requireSpace(folder, await mapLimited(tasks, FILES_AT_ONCE, missingBytes), onEstimate);
  const outcomes = await runJobs(
    await mapLimited(tasks, FILES_AT_ONCE, async ({ job }) => ({
      kind: 'extra' as const,
      ...job,
      verify: verify && !(await areVerified(filesOf(job))),
    })),
    pool,
  );
  const made = tasks.map((task, i): MadeTask => {
    const outcome = outcomes[i];
    if (outcome && 'value' in outcome) return { ...task, made: outcome.value };
    throw new Error(
      `the extra clip ${task.extra.name} could not be made: ${outcome?.problem ?? 'not started'}`,
    );
  });
  if (verify) await rememberVerified(made.flatMap(({ job }) => filesOf(job)));
  await writeManifest(folder, { seed, copies }, made);
  return made.map(({ extra, original, job, made: { seconds, derived } }): PreparedClip => {
    const frames = original.derived?.frames;
    return {
      ...original,
      name: extra.name,
      path: job.path,
      pictures: original.pictures ?? original.path,
      seconds,
      derived: { ...derived, ...(frames !== undefined && { frames }) },
    };
  });
}

/** One extra clip, what it is made of, and the job that makes it. */
interface Task {
  readonly extra: ExtraClip;
  readonly original: PreparedClip;
  readonly job: ExtraJob;
}

interface MadeTask extends Task {
  readonly made: MadeExtra;
}

function labelled({ name, label, source }: PreparedClip): { name: string; label: number } {
  if (label === undefined)
    throw new Error(`${source.file}, row ${source.line}: an extra clip needs a label, ${name} has none`);
  return { name, label };
}

function taskOf(
  extra: ExtraClip,
  named: ReadonlyMap<string, PreparedClip>,
  folder: string,
  inputs: readonly InputName[],
  verify: boolean,
): Task {
  const { op, key } = extra;
  const original = named.get(extra.clip) as PreparedClip;
  const partner = extra.partner === undefined ? null : (named.get(extra.partner)?.path ?? null);
  const random = randomStream(key);
  const value = SOUND_OPERATIONS[op].parameters.map(({ drawn: [low, high] }) => uniform(random, low, high));
  const sources = [original.path, partner].map((path) => path && basename(path));
  const about = JSON.stringify({ version: VERSION, op, key, value, sources });
  const hash = createHash('sha256').update(about).digest('hex').slice(0, 20);
  const path = join(folder, `${fileNameOf(extra.name)}-${hash}.clip`);
  const job = { path, original: original.path, partner, op, value, key, inputs, options: OPTIONS, verify };
  return { extra, original, job };
}

/** An extra clip's file in the store and those of its inputs. */
const filesOf = ({ path, inputs, options }: ExtraJob): string[] => [
  path,
  ...inputs.filter((input) => input !== 'waveform').map((input) => derivedPath(path, input, options)),
];

/** Bytes of those files of an extra clip that are not there. */
async function missingBytes({ original: { seconds }, job }: Task): Promise<number> {
  let bytes = (await sizeOf(job.path)) > 0 ? 0 : fileBytes(seconds, [soundBytes('f32')]);
  for (const input of job.inputs) {
    if ((await sizeOf(derivedPath(job.path, input, OPTIONS))) === 0)
      bytes += derivedBytes(seconds, input, OPTIONS.size);
  }
  return bytes;
}

async function writeManifest(
  folder: string,
  about: { readonly seed: number; readonly copies: Readonly<Partial<Record<SoundOperationName, number>>> },
  tasks: readonly MadeTask[],
): Promise<void> {
  const clips = tasks.map(({ extra: { name, clip, op, copy, partner }, job, made: { seconds } }) => {
    const { path, value } = job;
    return { name, clip, op, copy, value, partner: partner ?? null, file: basename(path), seconds };
  });
  const text = `${JSON.stringify({ ...about, clips }, null, 2)}\n`;
  // The names of the files have hashes of the clips, so the text tells data set, seed and copies.
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 20);
  await writeFileAtomic(join(folder, hash, 'manifest.json'), text);
}
