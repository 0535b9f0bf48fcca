// Decodes one media file in a process of its own, so that a broken file cannot harm this one.

import type { Wav } from '../../audio/wav.ts';
import type { Media, MediaJob } from './media/decode.ts';
import { runJobs, type PoolOptions } from './pool.ts';
import type { Job, JobResult } from './worker.ts';

type ReadOptions = Pick<PoolOptions, 'signal' | 'patience'>;

/**
 * Decodes a media file (mp4, mkv, webm, wav, mp3, ...): sound at the file's rate and channels, and frames as they are stored,
 * whichever the file has.
 * Throws one sentence that names the file: missing, unreadable, broken, too short, too long.
 */
export function readMedia(path: string, options: ReadOptions = {}): Promise<Media> {
  return runJob({ kind: 'media', path }, options);
}

/** The sound alone. Throws as `readMedia`, and one sentence if the file has no sound or was cut. */
export function readSound(path: string, options: ReadOptions = {}): Promise<Wav> {
  return runJob({ kind: 'sound', path }, options);
}

async function runJob<J extends Job & MediaJob>(job: J, options: ReadOptions): Promise<JobResult<J>> {
  const [outcome] = await runJobs([job], { ...options, workers: 1 });
  if (!outcome || 'problem' in outcome) throw new Error(outcome?.problem ?? `${job.path} was not decoded`);
  return outcome.value;
}
