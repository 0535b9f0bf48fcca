// Prepares all clips of a data set, on all cores.

import { lstat, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clip } from '../../dataset/clips.ts';
import type { InputName } from '../../features/inputs.ts';
import type { Scaling } from '../../features/logmel.ts';
import { makeFolder } from '../../../node/files.ts';
import { DatasetError } from './dataset.ts';
import { checkSize } from '../../features/frames.ts';
import { FILES_AT_ONCE, mapLimited } from './limit.ts';
import { runJobs, type PoolOptions } from './pool.ts';
import { checkSpace, surveyClips, type SpaceEstimate } from './space.ts';
import { areVerified, rememberVerified } from './verified.ts';

export interface PrepareOptions extends PoolOptions {
  /** Folder of the prepared clips. */
  readonly cache: string;
  /** Inputs to make beside the clips. Default: none. */
  readonly inputs?: readonly InputName[];
  /** Side of frames in pixels, as wanted by nets. Default: 224. */
  readonly size?: number;
  /** Range by which log-mel features are scaled: of each second (default) or of the whole clip. */
  readonly scaling?: Scaling;
  /** Whether the checksums of what is there are verified by reading it in full, once in a process (default). Lengths always are. */
  readonly verify?: boolean;
  /** Called with the disk space that is needed, if any, before the work starts. */
  readonly onEstimate?: (estimate: SpaceEstimate) => void;
}

/** A clip in the store. */
export interface PreparedClip extends Clip {
  /** Its file in the store (clip-file.ts). */
  readonly path: string;
  readonly seconds: number;
  /** The file that has its pictures, where it is another one: those of an extra clip are its original's. */
  readonly pictures?: string;
  /** Files of the inputs that were derived from it (derive.ts). */
  readonly derived?: Readonly<Partial<Record<InputName, string>>>;
}

export interface Prepared {
  readonly clips: PreparedClip[];
  /** Number of clips of which nothing had to be made. */
  readonly cached: number;
}

/** A temporary file older than this belongs to a process that died. */
const STALE_MS = 60 * 60 * 1000;

/**
 * Decodes the clips of a data set's folder that are not in the store yet, and derives inputs. What an interrupted run made is kept.
 * Throws a DatasetError that lists ALL bad clips (split file, row, what is wrong), a StorageError of one sentence if the disk
 * has too little space for what is missing, or is full, and the signal's reason when it was stopped.
 */
export async function prepareClips(
  root: string,
  clips: readonly Clip[],
  { cache, inputs = [], size = 224, scaling = 'sample', verify = true, onEstimate, ...pool }: PrepareOptions,
): Promise<Prepared> {
  checkSize(size);
  await removeStale(cache);
  const jobs = clips.map(({ audio, video }) => ({
    kind: 'prepare' as const,
    audio: resolve(root, audio),
    video: resolve(root, video),
    cache,
    inputs,
    options: { size, scaling },
    verify,
  }));
  await makeFolder(cache);
  const surveyed = await surveyClips(jobs);
  await checkSpace(surveyed, cache, { ...pool, onEstimate });
  const outcomes = await runJobs(
    await mapLimited(surveyed, FILES_AT_ONCE, async ({ job, present }) => ({
      ...job,
      verify: verify && !(await areVerified(present)),
    })),
    pool,
  );
  const prepared: PreparedClip[] = [];
  const problems: string[] = [];
  let cached = 0;
  clips.forEach((clip, i) => {
    const outcome = outcomes[i];
    if (outcome && 'value' in outcome) {
      const { path, seconds, derived } = outcome.value;
      prepared.push({ ...clip, path, seconds, derived });
      if (outcome.value.cached) cached += 1;
    } else {
      problems.push(`${clip.source.file}, row ${clip.source.line}: ${outcome?.problem ?? 'not decoded'}`);
    }
  });
  if (verify)
    await rememberVerified(prepared.flatMap(({ path, derived = {} }) => [path, ...Object.values(derived)]));
  if (problems.length > 0) {
    throw new DatasetError(
      `${problems.length} of ${clips.length} clips cannot be used; replace them or take their rows out:`,
      problems,
    );
  }
  return { clips: prepared, cached };
}

/** Removes the temporary files of processes that died from a cache folder. */
export async function removeStale(cache: string): Promise<void> {
  const names = await readdir(cache).catch(() => []);
  for (const name of names.filter((entry) => entry.endsWith('.tmp'))) {
    const path = join(cache, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
  }
}
