// Length and sizes of a clip's files, from their headers.

import type { SoundFormat } from '../samples.ts';
import { storedSize } from '../../../features/frames.ts';
import { MediaError } from './errors.ts';
import { NO_BEAT, SHORTFALL, withMedia, type WatchFile } from './open.ts';
import { isWavFile, measureWav } from './wav-file.ts';

/** What a clip's files say of their contents without being decoded. */
export interface MediaSize {
  /** Whole seconds of sound. */
  readonly seconds: number;
  /** Format in which the sound will be stored. */
  readonly format: SoundFormat;
  /** Size of the stored pictures. */
  readonly height: number;
  readonly width: number;
}

export interface MeasureJob {
  readonly audio: string;
  readonly video: string;
}

/** Reads length and sizes of a clip's files from their headers. Throws, naming the file, if it is unreadable or lacks its track. */
export async function measureMedia(
  { audio, video }: MeasureJob,
  watch: WatchFile = () => undefined,
): Promise<MediaSize> {
  watch(audio);
  const sound = (await isWavFile(audio)) ? measureSamples(audio) : await measureTrack(audio);
  watch(video);
  const picture = await withMedia(video, NO_BEAT, async ({ video: track }) => {
    if (!track) throw new MediaError('has no video track');
    return storedSize(await track.getDisplayWidth(), await track.getDisplayHeight());
  });
  return { ...sound, ...picture };
}

function measureSamples(path: string): Pick<MediaSize, 'seconds' | 'format'> {
  const { format, frames } = measureWav(path);
  const { encoding, bits, sampleRate } = format;
  const exact = encoding === 'float' || bits === 32 ? 'f32' : bits === 24 ? 'i24' : 'i16';
  return { seconds: Math.floor(frames / sampleRate + SHORTFALL), format: exact };
}

function measureTrack(path: string): Promise<Pick<MediaSize, 'seconds' | 'format'>> {
  return withMedia(path, NO_BEAT, async ({ audio: track }) => {
    if (!track) throw new MediaError('has no sound');
    const length = (await track.computeDuration()) - Math.max(0, await track.getFirstTimestamp());
    return { seconds: Math.floor(length + SHORTFALL), format: 'f32' };
  });
}
