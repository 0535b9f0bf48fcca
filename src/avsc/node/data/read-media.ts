// Decodes one media file in a worker thread, for predictions.

import type { Media } from './media.ts';
import { runJobs, type PoolOptions } from './pool.ts';

/**
 * Decodes a media file (mp4, mkv, webm, wav, mp3, ...) in its own thread, so that a broken file cannot harm the process:
 * sound at the file's rate and channels, and frames as they are stored, whichever the file has.
 * Throws one sentence that names the file: missing, unreadable, broken, video shorter than its sound, too long.
 */
export async function readMedia(
  path: string,
  pool: Pick<PoolOptions, 'signal' | 'patience'> = {},
): Promise<Media> {
  const [outcome] = await runJobs([{ kind: 'media', path }], { ...pool, workers: 1 });
  if (!outcome || 'problem' in outcome) throw new Error(outcome?.problem ?? `${path} was not decoded`);
  return outcome.value;
}
