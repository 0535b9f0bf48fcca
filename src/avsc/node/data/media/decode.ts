// Sound and pictures of media files, as data sets and predictions need them.

import type { Wav } from '../../../audio/wav.ts';
import { MediaError, truncated } from './errors.ts';
import {
  readFrames,
  readPictureTimes,
  secondsOfPictures,
  secondsOfVideo,
  type VideoFrames,
} from './frames.ts';
import { NO_BEAT, SHORTFALL, withMedia } from './open.ts';
import { readSound, type Sound } from './sound.ts';
import { timelineOf } from './timeline.ts';
import { isWavFile, readWav } from './wav-file.ts';

/**
 * Decodes the sound of a WAV file or of any file FFmpeg reads, from the file's first second on.
 * Throws one sentence, naming the file: unreadable, truncated, no sound, longer than an hour.
 */
export async function decodeSound(path: string, beat = NO_BEAT): Promise<Wav> {
  if (await isWavFile(path)) return readWav(path, beat);
  return withMedia(path, beat, async (media) => {
    if (media.cut !== null) throw new MediaError(truncated(media.cut));
    const times = media.video && (await readPictureTimes(media.video, beat));
    const sound = await readSound(media, await timelineOf(media, times?.starts[0] ?? null));
    if (sound.endsEarly) throw new MediaError(truncated(soundEnd(sound)));
    return sound.wav;
  });
}

/**
 * Decodes two pictures of each second (see `readFrames`). `seconds` is the number of seconds of the sound; its default is the number of
 * full seconds of the video. Throws one sentence, naming the file: unreadable, no video track, truncated, broken within, or shorter than
 * `seconds`.
 */
export async function decodeFrames(path: string, seconds?: number, beat = NO_BEAT): Promise<VideoFrames> {
  if (await isWavFile(path)) throw new Error(`${path} has no video track`);
  return withMedia(path, beat, async (media) => {
    if (!media.video) throw new MediaError('has no video track');
    if (media.cut !== null) throw new MediaError(truncated(media.cut));
    const times = await readPictureTimes(media.video, beat);
    const timeline = await timelineOf(media, times.starts[0] ?? null);
    const length = times.end - timeline.pictures;
    const wanted = seconds ?? secondsOfVideo(length);
    if (wanted < 1) throw new MediaError(`lasts ${length.toFixed(2)} s, at least one second is needed`);
    if (secondsOfPictures(length) < wanted)
      throw new MediaError(`lasts ${length.toFixed(2)} s and is shorter than its sound of ${wanted} s`);
    const frames = await readFrames(media, timeline, times, wanted);
    if (frames.seconds === wanted) return frames;
    throw new MediaError(truncated(`its pictures end after ${frames.seconds} of ${wanted} seconds`));
  });
}

export interface MediaJob {
  readonly path: string;
}

/** Sound and pictures of a file, which has at least one of them. */
export interface Media {
  readonly sound: Wav | undefined;
  /** Pictures for each full second of the sound, or of the video if there is no sound. */
  readonly frames: VideoFrames | undefined;
  /** Sentences, which name the file, about what it lacks. */
  readonly warnings: readonly string[];
  /** True if the file was cut: it describes more than it has. */
  readonly truncated: boolean;
}

/**
 * Decodes sound and pictures of one file. A file that was cut gives its whole seconds, and so does one of whose tracks one is shorter.
 * Throws one sentence, naming the file: unreadable, broken within, shorter than a second, longer than an hour.
 */
export async function decodeMedia({ path }: MediaJob, beat = NO_BEAT): Promise<Media> {
  if (await isWavFile(path)) {
    const sound = readWav(path, beat);
    if (secondsOfSound(sound) === 0) throw new Error(`${path} lasts less than a second`);
    return { sound, frames: undefined, warnings: [], truncated: false };
  }
  return withMedia(path, beat, async (media) => {
    if (!media.audio && !media.video) throw new MediaError('has neither sound nor pictures');
    const times = media.video && (await readPictureTimes(media.video, beat));
    const timeline = await timelineOf(media, times?.starts[0] ?? null);
    const sound = media.audio ? await readSound(media, timeline) : null;
    const lacks = [
      ...(media.cut === null ? [] : [media.cut]),
      ...(sound && sound.endsEarly ? [soundEnd(sound)] : []),
    ];
    const heard = sound ? secondsOfSound(sound.wav) : Infinity;
    if (heard === 0) throw new MediaError('lasts less than a second');
    let frames: VideoFrames | undefined;
    const warnings: string[] = [];
    if (times) {
      const length = times.end - timeline.pictures;
      const seconds = Math.min(heard, sound ? secondsOfPictures(length) : secondsOfVideo(length));
      if (seconds < 1) throw new MediaError('has pictures of less than a second');
      const read = await readFrames(media, timeline, times, seconds);
      if (read.seconds < seconds) lacks.push(`its pictures end after ${read.seconds} of ${seconds} seconds`);
      if (read.seconds === 0) throw new MediaError(truncated(...lacks));
      frames = read;
      if (sound && lacks.length === 0 && (heard > seconds || secondsOfVideo(length) > seconds))
        warnings.push(
          `has ${sound.seconds.toFixed(2)} s of sound and ${length.toFixed(2)} s of pictures: what follows after ` +
            `${seconds} s is left out`,
        );
    }
    if (lacks.length > 0) warnings.push(truncated(...lacks));
    return {
      sound: sound?.wav,
      frames,
      warnings: warnings.map((warning) => `${path} ${warning}`),
      truncated: lacks.length > 0,
    };
  });
}

const secondsOfSound = ({ channels, sampleRate }: Wav): number =>
  Math.floor((channels[0]?.length ?? 0) / sampleRate + SHORTFALL);

const soundEnd = ({ seconds, described }: Sound): string =>
  `its sound ends at ${seconds.toFixed(2)} s of ${described.toFixed(2)} s`;
