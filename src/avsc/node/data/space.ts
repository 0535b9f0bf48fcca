// Disk space that preparing clips will take, estimated from a few of them, against what the disk has.

import { statfs } from 'node:fs/promises';
import type { InputName } from '../../features/inputs.ts';
import { StorageError } from '../../../node/files.ts';
import { openClipFile, soundBytes } from './clip-file.ts';
import { derivedBytes, derivedPath, isDerived } from './derive.ts';
import { FILES_AT_ONCE, mapLimited } from './limit.ts';
import type { MediaSize } from './media/measure.ts';
import { runJobs, type PoolOptions } from './pool.ts';
import { entryPath, type PrepareJob } from './prepare-clip.ts';
import { fileBytes, frameBytes, sizeOf } from './records.ts';

/** Disk space for what is missing, in bytes. */
export interface SpaceEstimate {
  /** Clips that something is missing of. */
  readonly clips: number;
  readonly needed: number;
  readonly free: number;
}

/** Clips whose headers are read: a data set's clips are alike. */
const SAMPLE = 16;

/** Which files of a job there are. */
interface Survey<J extends PrepareJob = PrepareJob> {
  readonly job: J;
  /** The clip's file in the store; null if there is none. */
  readonly entry: string | null;
  /** Inputs that have no file. */
  readonly inputs: readonly InputName[];
  /** All files that are there. */
  readonly present: readonly string[];
}

/**
 * Estimates the space for the files that are missing, from the headers of a sample of their clips; a bad clip counts as the others.
 * Throws a StorageError with both numbers if the disk has less.
 */
export async function checkSpace(
  surveyed: readonly Survey[],
  cache: string,
  { onEstimate, ...pool }: PoolOptions & { readonly onEstimate?: ((e: SpaceEstimate) => void) | undefined },
): Promise<void> {
  pool.signal?.throwIfAborted();
  const missing = surveyed.filter(({ entry, inputs }) => entry === null || inputs.length > 0);
  if (missing.length === 0) return;
  const sample = missing.filter((_, i) => i % Math.ceil(missing.length / SAMPLE) === 0);
  const { workers, signal, patience } = pool;
  const sizes = await measure(sample, {
    ...(workers && { workers }),
    ...(signal && { signal }),
    ...(patience && { patience }),
  });
  // A data set none of whose clips can be read is refused by the decoder, clip by clip.
  if (sizes.length === 0) return;
  const mean = (bytes: (size: MediaSize) => number): number =>
    sizes.reduce((sum, size) => sum + bytes(size), 0) / sizes.length;
  const { size } = (missing[0] as Survey).job.options;
  const inputBytes = new Map(
    [...new Set(missing.flatMap(({ inputs }) => inputs))].map((input) => [
      input,
      mean((clip) => (isDerived(clip, input, size) ? derivedBytes(clip.seconds, input, size) : 0)),
    ]),
  );
  const needed = missing.map(
    ({ entry, inputs }) =>
      (entry === null ? mean(entryBytes) : 0) +
      inputs.reduce((sum, input) => sum + (inputBytes.get(input) ?? 0), 0),
  );
  await requireSpace(cache, needed, onEstimate);
}

/** Throws a StorageError with both numbers if the disk that holds a folder has less than the bytes that each clip's missing files take. */
export async function requireSpace(
  folder: string,
  bytes: readonly number[],
  onEstimate?: (estimate: SpaceEstimate) => void,
): Promise<void> {
  const clips = bytes.filter((each) => each > 0).length;
  if (clips === 0) return;
  const { bavail, bsize } = await statfs(folder);
  const needed = Math.ceil(bytes.reduce((sum, each) => sum + each, 0));
  const free = bavail * bsize;
  onEstimate?.({ clips, needed, free });
  if (needed <= free) return;
  throw new StorageError(
    `preparing ${clips} clips takes about ${formatBytes(needed)}, and the disk that holds ${folder} has ` +
      `${formatBytes(free)} free: free some space there or choose another folder`,
  );
}

/** Bytes in GB or MB (powers of 1000), as disks are sold. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Looks which files of each job there are. A file of length 0 counts as missing. */
export function surveyClips<J extends PrepareJob>(jobs: readonly J[]): Promise<Survey<J>[]> {
  return mapLimited(jobs, FILES_AT_ONCE, async (job) => {
    // A file that cannot be read is reported when the clip is prepared.
    const path = await entryPath(job).catch(() => null);
    if (path === null) return { job, entry: null, inputs: job.inputs, present: [] };
    const entry = (await sizeOf(path)) === 0 ? null : path;
    const inputs: InputName[] = [];
    const present = entry === null ? [] : [entry];
    for (const input of job.inputs) {
      const derived = derivedPath(path, input, job.options);
      if ((await sizeOf(derived)) === 0) inputs.push(input);
      else present.push(derived);
    }
    return { job, entry, inputs, present };
  });
}

/** Lengths and sizes of clips, read from the store or else from the headers of their files. Those that cannot be read are left out. */
async function measure(sample: readonly Survey[], pool: PoolOptions): Promise<MediaSize[]> {
  const stored = await Promise.all(
    sample.map(async ({ entry }) =>
      entry === null ? undefined : openClipFile(entry).catch(() => undefined),
    ),
  );
  const known = stored.flatMap((clip): MediaSize[] => (clip ? [clip] : []));
  const jobs = sample.flatMap(({ job: { audio, video } }, i) =>
    stored[i] ? [] : [{ kind: 'measure' as const, audio, video }],
  );
  const measured = await runJobs(jobs, pool);
  return [...known, ...measured.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []))];
}

function entryBytes({ seconds, format, height, width }: MediaSize): number {
  return fileBytes(seconds, [soundBytes(format), frameBytes(height, width)]);
}
