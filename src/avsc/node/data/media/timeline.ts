// When the tracks of a file begin, so that its first second is the first of what was recorded.

import type { InputAudioTrack } from 'mediabunny';
import type { OpenMedia } from './open.ts';

/** Times of the file, in s, at which second 0 begins. */
export interface Timeline {
  readonly sound: number;
  readonly pictures: number;
}

/**
 * Containers and muxers without edit lists leave delays of the codecs in: two reordered pictures are 83 ms at 24 frames per second.
 * Tracks that begin less than this apart, in s, were recorded together.
 */
const MAX_DELAY = 0.1;

/** Samples that encoders put before the sound: 1024 by AAC's overlap, 1105 by MP3's filter bank and decoder. */
const PRIMING: Readonly<Record<string, number>> = { aac: 1024, mp3: 1105 };

/**
 * The start of the earlier track is second 0, and the other keeps its distance, unless that is a delay of the codecs. Streams start
 * anywhere: MPEG-TS often at 1.4 s, a part of a recording at hours. `firstPicture` is the earliest time of a picture.
 */
export async function timelineOf({ audio }: OpenMedia, firstPicture: number | null): Promise<Timeline> {
  // What an edit list takes away lies before time 0.
  const pictures = Math.max(0, firstPicture ?? 0);
  if (!audio) return { sound: 0, pictures };
  const first = await audio.getFirstTimestamp();
  const sound = Math.max(0, first);
  if (firstPicture === null) return { sound, pictures: 0 };
  const heard = first >= 0 ? sound + (await primingOf(audio)) : sound;
  const offset = pictures - heard;
  if (Math.abs(offset) < MAX_DELAY) return { sound, pictures };
  return offset > 0 ? { sound, pictures: heard } : { sound: pictures, pictures };
}

async function primingOf(track: InputAudioTrack): Promise<number> {
  return (PRIMING[(await track.getCodec()) ?? ''] ?? 0) / (await track.getSampleRate());
}
