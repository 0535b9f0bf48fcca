// Decodes one clip into the cache, unless the cache has it.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { SAMPLE_RATE, secondsOf, type Stereo } from '../../audio/clip.ts';
import { LogMelExtractor, type Scaling } from '../../features/logmel.ts';
import {
  frameBytes,
  openClipFile,
  verifyClipFile,
  writeClipFile,
  type ClipFile,
  type Second,
} from './clip-file.ts';
import { errorCode } from '../../../node/files.ts';
import type { PictureOptions } from './image.ts';
import { decodeFrames, decodeSound } from './media.ts';

/** Options that decide the contents of a decoded clip, beside its files. */
export interface DecodeOptions extends PictureOptions {
  /** Range by which the log-mel features are scaled: of each second (default) or of the whole clip. */
  readonly scaling?: Scaling;
}

/** One clip to decode: its two files and the cache folder. */
export interface DecodeJob {
  readonly audio: string;
  readonly video: string;
  readonly cache: string;
  readonly options: DecodeOptions;
  /** Whether a cached clip is read in full to verify its checksums. */
  readonly verify: boolean;
}

export interface DecodedClip {
  readonly path: string;
  readonly seconds: number;
  /** True if it was found in the cache. */
  readonly cached: boolean;
}

/** To be increased when the layout of a cached clip or its computation changes. */
const CACHE_VERSION = 2;

/**
 * Decodes a clip's sound into features and its video into pictures, second by second, and keeps them in the cache.
 * The entry's name is a hash of name, size and modification time of both files and of the options, so a changed file
 * is decoded again. A damaged entry is replaced.
 * Throws one sentence for a bad clip (not 48 kHz stereo, truncated, unreadable, video shorter than its sound)
 * and a StorageError if the cache cannot be written.
 */
export async function decodeClip(job: DecodeJob): Promise<DecodedClip> {
  const path = await cachePath(job);
  const found = await findCached(path, job.verify);
  if (found) return { path, seconds: found.seconds, cached: true };
  const seconds = await decodeSeconds(job);
  await writeClipFile(path, job.options.size, seconds);
  return { path, seconds: seconds.length, cached: false };
}

async function decodeSeconds({ audio, video, options }: DecodeJob): Promise<Second[]> {
  const sound = await readStereo(audio);
  const count = secondsOf(sound).length;
  if (count === 0) {
    throw new Error(
      `${audio} lasts ${(sound[0].length / SAMPLE_RATE).toFixed(2)} s, at least one second is needed`,
    );
  }
  const { data } = await decodeFrames(video, options, count);
  const bytes = frameBytes(options.size);
  return new LogMelExtractor()
    .seconds(sound, options.scaling)
    .map((features, i) => ({ audio: features.data, frames: data.subarray(i * bytes, (i + 1) * bytes) }));
}

async function readStereo(path: string): Promise<Stereo> {
  const { sampleRate, channels } = await decodeSound(path);
  const [left, right] = channels;
  if (sampleRate !== SAMPLE_RATE || channels.length !== 2 || !left || !right) {
    throw new Error(
      `${path} has ${channels.length} channels at ${sampleRate} Hz, the data set needs 2 at ${SAMPLE_RATE} Hz`,
    );
  }
  return [left, right];
}

async function findCached(path: string, verify: boolean): Promise<ClipFile | undefined> {
  try {
    const clip = await openClipFile(path);
    if (verify) await verifyClipFile(clip);
    return clip;
  } catch {
    // The entry is absent or damaged, and is decoded again in both cases.
    return undefined;
  }
}

async function cachePath({ audio, video, cache, options }: DecodeJob): Promise<string> {
  const files = await Promise.all([identify(audio), identify(video)]);
  const key = { version: CACHE_VERSION, files, ...options };
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 20);
  const name = basename(audio, extname(audio))
    .replaceAll(/[^\w.-]/g, '_')
    .slice(0, 80);
  return join(cache, `${name}-${hash}.clip`);
}

async function identify(path: string): Promise<{ name: string; size: number; time: number }> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { name: basename(path), size, time: mtimeMs };
  } catch (error) {
    throw new Error(`${path} ${errorCode(error) === 'ENOENT' ? 'does not exist' : 'cannot be read'}`, {
      cause: error,
    });
  }
}
