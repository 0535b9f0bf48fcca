// Decodes a hostile media file and judges what comes out.

import { decodeMedia, type Media } from '../../../src/avsc/node/data/media/decode.ts';
import { messageOf } from '../../../src/node/files.ts';
import { complaintAboutMessage, type Outcome } from './outcome.ts';

/** An hour and the last second's rounding. */
const MOST_SECONDS = 3601;
const MOST_SIDE = 256;

/** Decodes a file by `decode`; by `decodeMedia` in this process unless told otherwise. */
export async function outcomeOfMedia(
  path: string,
  decode: (path: string) => Promise<Media> = (file) => decodeMedia({ path: file }),
): Promise<Outcome> {
  try {
    const complaint = complaintAboutMedia(await decode(path));
    return { read: true, ...(complaint === undefined ? {} : { complaint }) };
  } catch (error) {
    const sentence = messageOf(error);
    const complaint = complaintAboutRefusal(error, sentence, path);
    return {
      read: false,
      error: sentence.replaceAll(path, 'FILE'),
      ...(complaint === undefined ? {} : { complaint }),
    };
  }
}

/** What libraries say when they are surprised. Numbers that are none may not be in a sentence about media. */
const ACCIDENTS =
  /assertion|FFmpegError|\[object|\bundefined\b|\bNaN\b|Infinity|cannot read prop|is not (a function|iterable|defined)|maximum call stack|invalid (typed )?array|array buffer|offset is outside|out of (bounds|range)|allocation failed|could not (be )?clone|libav|\bat \S+:\d+:\d+|\[\w+ @ 0x|\berrno\b|should never|unreachable|internal (error|bug)|please report|error number|says -\d|mediabunny/i;

function complaintAboutRefusal(error: unknown, sentence: string, path: string): string | undefined {
  if (!(error instanceof Error)) return `no Error but ${typeof error}`;
  if (!sentence.startsWith(path)) return `a sentence without the file's name: ${sentence}`;
  return complaintAboutMessage(sentence.slice(path.length), ACCIDENTS);
}

function complaintAboutMedia({ sound, frames }: Media): string | undefined {
  if (!sound && !frames) return 'neither sound nor pictures';
  if (sound) {
    const { sampleRate, channels } = sound;
    const length = channels[0]?.length ?? 0;
    if (!(Number.isInteger(sampleRate) && sampleRate > 0)) return `a sampling rate of ${sampleRate}`;
    if (channels.some((channel) => channel.length !== length)) return 'channels of several lengths';
    const seconds = length / sampleRate;
    if (!(seconds > 0.98 && seconds <= MOST_SECONDS)) return `${seconds} s of sound`;
    if (!channels.every((channel) => channel.every(Number.isFinite))) return 'a sample that is no number';
    if (frames && frames.seconds > seconds + 0.02)
      return `${seconds} s of sound for ${frames.seconds} s of pictures`;
  }
  if (frames) {
    const { seconds, width, height, data } = frames;
    const sizes = [seconds, width, height];
    if (!sizes.every((size) => Number.isInteger(size) && size >= 1))
      return `sizes of pictures ${sizes.join()}`;
    if (seconds > MOST_SECONDS || width > MOST_SIDE || height > MOST_SIDE)
      return `${seconds} s of ${width} x ${height}`;
    if (data.length !== seconds * 2 * 3 * width * height) return `${data.length} bytes of pictures`;
  }
  return undefined;
}
