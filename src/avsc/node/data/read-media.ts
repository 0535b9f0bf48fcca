// Sound and pictures of any one media file, for predictions.

import type { PictureOptions } from './image.ts';
import type { Media } from './media.ts';
import { runJobs, type PoolOptions } from './pool.ts';

/**
 * Decodes a media file (mp4, mkv, webm, wav, mp3, ...) in a thread of its own, so that a broken one harms nothing:
 * its sound at its own rate and channels, and its pictures at `options.size`, whichever of the two it has.
 * Throws one sentence that names the file: missing, unreadable, broken, video shorter than its sound, too long.
 */
export async function readMedia(
  path: string,
  options: PictureOptions,
  pool: Pick<PoolOptions, 'signal' | 'patience'> = {},
): Promise<Media> {
  const [outcome] = await runJobs([{ kind: 'media', path, options }], { ...pool, workers: 1 });
  if (!outcome || 'problem' in outcome) throw new Error(outcome?.problem ?? `${path} was not decoded`);
  return outcome.value;
}
