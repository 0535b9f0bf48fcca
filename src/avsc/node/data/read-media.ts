// Decodes one media file in a process of its own, so that a broken file cannot harm this one.

import type { Wav } from '../../audio/wav.ts';
import type { Media } from './media/decode.ts';
import { runJobs, type PoolOptions } from './pool.ts';

type ReadOptions = Pick<PoolOptions, 'signal' | 'patience'>;

/**
 * Decodes a media file (mp4, mkv, webm, wav, mp3, ...): sound at the file's rate and channels, and frames as they are stored,
 * whichever the file has.
 * Throws one sentence that names the file: missing, unreadable, broken, too short, too long.
 */
export async function readMedia(path: string, pool: ReadOptions = {}): Promise<Media> {
  const [outcome] = await runJobs([{ kind: 'media', path }], { ...pool, workers: 1 });
  if (!outcome || 'problem' in outcome) throw new Error(outcome?.problem ?? `${path} was not decoded`);
  return outcome.value;
}

/** The sound alone. Throws as `readMedia`, and one sentence if the file has no sound or was cut. */
export async function readSound(path: string, pool: ReadOptions = {}): Promise<Wav> {
  const [outcome] = await runJobs([{ kind: 'sound', path }], { ...pool, workers: 1 });
  if (!outcome || 'problem' in outcome) throw new Error(outcome?.problem ?? `${path} was not decoded`);
  return outcome.value;
}
