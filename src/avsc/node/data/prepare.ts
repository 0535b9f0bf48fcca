// Decodes all clips of a data set into the cache, on all cores.

import { lstat, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clip } from '../../dataset/clips.ts';
import type { DecodeOptions } from './decode-clip.ts';
import { DatasetError } from './dataset.ts';
import { runJobs, type PoolOptions } from './pool.ts';

interface PrepareOptions extends DecodeOptions, PoolOptions {
  /** Folder of the decoded clips. A second takes 120 kB for features and 6 * size^2 bytes for pictures. */
  readonly cache: string;
  /** Whether the checksums of cached clips are verified by reading them in full (default). Their length always is. */
  readonly verify?: boolean;
}

/** A clip that has been decoded into the cache. */
export interface PreparedClip extends Clip {
  readonly path: string;
  readonly seconds: number;
}

export interface Prepared {
  readonly clips: PreparedClip[];
  /** Side of the pictures in pixels. */
  readonly size: number;
  /** Number of clips that the cache had already. */
  readonly cached: number;
}

/** A temporary file older than this belongs to a process that died. */
const STALE_MS = 60 * 60 * 1000;

/**
 * Decodes the clips of a data set's folder that are not in the cache yet. Clips that an interrupted run decoded are kept.
 * Throws a DatasetError that lists ALL bad clips (split file, row, what is wrong), a StorageError of one
 * sentence when the disk is full, and the signal's reason when it was stopped.
 */
export async function prepareClips(
  root: string,
  clips: readonly Clip[],
  { cache, size, fit, scaling, verify = true, ...pool }: PrepareOptions,
): Promise<Prepared> {
  await removeStale(cache);
  const options = { size, fit: fit ?? 'squash-crop', scaling: scaling ?? 'sample' } as const;
  const jobs = clips.map(({ audio, video }) => ({
    kind: 'decode' as const,
    audio: resolve(root, audio),
    video: resolve(root, video),
    cache,
    options,
    verify,
  }));
  const outcomes = await runJobs(jobs, pool);
  const prepared: PreparedClip[] = [];
  const problems: string[] = [];
  let cached = 0;
  clips.forEach((clip, i) => {
    const outcome = outcomes[i];
    if (outcome && 'value' in outcome) {
      prepared.push({ ...clip, path: outcome.value.path, seconds: outcome.value.seconds });
      if (outcome.value.cached) cached += 1;
    } else {
      problems.push(`${clip.source.file}, row ${clip.source.line}: ${outcome?.problem ?? 'not decoded'}`);
    }
  });
  if (problems.length > 0) {
    throw new DatasetError(
      `${problems.length} of ${clips.length} clips cannot be used; replace them or take their rows out:`,
      problems,
    );
  }
  return { clips: prepared, size, cached };
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
