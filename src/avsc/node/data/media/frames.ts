// Two pictures of each second of a video.

import { EncodedPacketSink, VideoSampleSink, type InputVideoTrack, type VideoSample } from 'mediabunny';
import { storedPicture, storedSize, type StoredFrames } from '../../../features/frames.ts';
import { codecName, MediaError } from './errors.ts';
import { checkLength, SHORTFALL, type Heartbeat, type OpenMedia } from './open.ts';
import { toPicture, type Picture } from './pixels.ts';
import type { Timeline } from './timeline.ts';

/** Times of the pictures within each second, in s: the 1st and the 15th frame at 30 frames per second. */
const FRAME_TIMES = [0, 14 / 30] as const;
/** No picture may be missing for longer than this, in s. */
const MAX_GAP = 1;
/** An error this close to the end of the data, in s, is one of the last pictures, which a cut broke. */
const LAST_PICTURES = 1;
/** Decoders and containers round times to less than this, in s. */
const ROUNDING = 0.002;
/** An hour at 1000 frames per second. */
const MAX_PICTURES = 3_600_000;

/** Frames [seconds, 2, 3, height, width]. */
export interface VideoFrames extends StoredFrames {
  /** Whole seconds covered. */
  readonly seconds: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** When the pictures of a video are shown. */
interface PictureTimes {
  /** In s of the file, in the order of showing. */
  readonly starts: Float64Array;
  /** End of the last one. */
  readonly end: number;
}

/** Reads when each picture is shown, without decoding. Throws a MediaError if there are none. */
export async function readPictureTimes(track: InputVideoTrack, beat: Heartbeat): Promise<PictureTimes> {
  const starts: number[] = [];
  let end = -Infinity;
  for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: true,
  })) {
    if (!Number.isFinite(packet.timestamp) || !(packet.duration >= 0)) continue;
    starts.push(packet.timestamp);
    end = Math.max(end, packet.timestamp + packet.duration);
    if (starts.length > MAX_PICTURES)
      throw new MediaError(`has more than ${MAX_PICTURES} pictures: cut it into parts`);
    if (starts.length % 256 === 0) beat();
  }
  if (starts.length === 0) throw new MediaError('has no pictures: its video track is empty');
  return { starts: Float64Array.from(starts).sort(), end };
}

/** Whole seconds of pictures in `length` s: the last one needs its second picture. */
export function secondsOfPictures(length: number): number {
  return Math.max(0, Math.floor(length - FRAME_TIMES[1] + 1));
}

/** Whole seconds of a video without sound. */
export const secondsOfVideo = (length: number): number => Math.floor(length + SHORTFALL);

/**
 * Decodes the 1st and the 15th picture of each second at 30 frames per second, or the nearest frames at another rate, as they are stored:
 * a picture with a side of more than 256 pixels is squashed to 256 x 256. A later picture of another size is brought to that of the first.
 * A file that was cut gives the whole seconds that are there, which may be none.
 * Throws a MediaError: a gap of more than a second; and FFmpeg's or mediabunny's error where it is broken within.
 */
export async function readFrames(
  { video, cut, beat }: OpenMedia,
  { pictures: origin }: Timeline,
  { starts, end }: PictureTimes,
  seconds: number,
): Promise<VideoFrames> {
  if (!video) throw new MediaError('has no video track');
  if (!(await video.canDecode()))
    throw new MediaError(`has pictures in ${await codecName(video)}, which this program does not decode`);
  checkLength(seconds);
  const chosen = choosePictures(starts, origin, seconds);
  const sink = new VideoSampleSink(video, { hardwareAcceleration: 'prefer-software' });
  let frames: VideoFrames | undefined;
  let index = 0;
  let atEnd = cut !== null;
  try {
    for await (const sample of samplesAt(
      sink,
      chosen.map(({ inside }) => inside),
    )) {
      const { wanted = 0, start = 0 } = chosen[index] ?? {};
      try {
        // An earlier picture stands for one that is not there.
        if (cut !== null && sample.timestamp < start - ROUNDING) break;
        if (wanted - sample.timestamp > MAX_GAP + sample.duration)
          throw gapError(sample.timestamp, wanted, origin);
        const picture = await toPicture(sample);
        frames ??= emptyFrames(picture, seconds);
        const stored = storedPicture(picture.rgba, picture.width, picture.height, frames);
        frames.data.set(stored, index * stored.length);
      } finally {
        sample.close();
      }
      index += 1;
      beat();
    }
  } catch (error) {
    // The last picture of a file that was cut is broken.
    atEnd ||= end - (chosen[index]?.start ?? end) < LAST_PICTURES;
    if (!atEnd || error instanceof MediaError) throw error;
  }
  if (index < chosen.length && !atEnd) {
    const missing = (chosen[index]?.wanted ?? origin) - origin;
    throw new MediaError(`has no picture at ${missing.toFixed(2)} s (broken file?)`);
  }
  const whole = Math.floor(index / FRAME_TIMES.length);
  if (!frames) return { seconds: 0, width: 0, height: 0, data: new Uint8Array() };
  return { ...frames, seconds: whole, data: frames.data.subarray(0, (frames.data.length / seconds) * whole) };
}

/** The pictures shown at rising times, as far as there are any. */
async function* samplesAt(sink: VideoSampleSink, times: readonly number[]): AsyncGenerator<VideoSample> {
  let index = 0;
  for await (const sample of sink.samplesAtTimestamps(times)) {
    // mediabunny 1.61 does not find some pictures of a Matroska file without an index, as a recorder leaves it when it is killed.
    if (!sample) {
      yield* samplesInTurn(sink, times.slice(index));
      return;
    }
    index += 1;
    yield sample;
  }
}

/** The same by decoding every picture. */
async function* samplesInTurn(sink: VideoSampleSink, times: readonly number[]): AsyncGenerator<VideoSample> {
  let index = 0;
  let shown: VideoSample | undefined;
  try {
    for await (const sample of sink.samples()) {
      for (; shown && index < times.length && sample.timestamp > (times[index] ?? 0); index++)
        yield shown.clone();
      shown?.close();
      shown = sample;
      if (index === times.length) return;
    }
    for (; shown && index < times.length; index++) yield shown.clone();
  } finally {
    shown?.close();
  }
}

/** A picture for a wanted time: when it begins, and a time inside of it, because the sink rounds. */
interface Chosen {
  readonly wanted: number;
  readonly start: number;
  readonly inside: number;
}

/**
 * The picture for each wanted time: the last one that begins no later than half a picture's length after it, which is the nearest one at
 * a constant rate.
 */
function choosePictures(starts: Float64Array, origin: number, seconds: number): Chosen[] {
  const half = typicalLength(starts) / 2;
  let at = 0;
  return Array.from({ length: seconds }, (_, second) =>
    FRAME_TIMES.map((time) => {
      const wanted = origin + second + time;
      while (at + 1 < starts.length && (starts[at + 1] ?? 0) < wanted + half) at += 1;
      const start = starts[at] ?? 0;
      if (start - wanted > MAX_GAP) throw gapError(wanted, start, origin);
      return { wanted, start, inside: start + half / 8 };
    }),
  ).flat();
}

/** The median length of a picture in s; a thirtieth if there is only one. */
function typicalLength(starts: Float64Array): number {
  const lengths = starts
    .subarray(1)
    .map((start, i) => start - (starts[i] ?? 0))
    .filter((length) => length > 0)
    .sort();
  return lengths[lengths.length >> 1] ?? 1 / 30;
}

function gapError(from: number, to: number, origin: number): MediaError {
  const [start, end] = [from - origin, to - origin].map((time) => time.toFixed(2));
  return new MediaError(`has no picture between ${start} s and ${end} s (broken file?)`);
}

/** Room for the frames of a video whose pictures are of this size. */
function emptyFrames({ width, height }: Picture, seconds: number): VideoFrames {
  const stored = storedSize(width, height);
  const data = new Uint8Array(seconds * FRAME_TIMES.length * 3 * stored.width * stored.height);
  return { seconds, ...stored, data };
}
