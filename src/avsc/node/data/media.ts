// Decodes sound and pictures of media files by FFmpeg, through mediabunny.

import { open, readFile, stat } from 'node:fs/promises';
import { registerMediabunnyServer } from '@mediabunny/server';
import {
  ALL_FORMATS,
  AudioSampleSink,
  FilePathSource,
  Input,
  VideoSampleSink,
  type InputVideoTrack,
  type VideoSample,
} from 'mediabunny';
import { decodeWav, type Wav } from '../../audio/wav.ts';
import { errorCode, messageOf } from '../../../node/files.ts';
import { storedPicture, storedSize, type StoredFrames } from './image.ts';
import type { SoundFormat } from './samples.ts';

// Hardware decoding is off: results must not depend on the machine's video decoder, and probing for one prints warnings.
registerMediabunnyServer({ hardwareContext: null });

// When FFmpeg refuses a packet, mediabunny 1.61 reports that to its caller and also rejects a promise that nobody awaits
// (its decoder's close), which would end the process. Other unhandled rejections still end it, unless the host listens.
process.on('unhandledRejection', (reason) => {
  const reported = reason instanceof Error && reason.constructor.name === 'FFmpegError';
  if (!reported && process.listenerCount('unhandledRejection') === 1) throw reason;
});

/** Times of the pictures within each second, in s: the 1st and the 15th frame at 30 frames per second. */
const FRAME_TIMES = [0, 14 / 30] as const;

/** One hour of sound or pictures. Longer files are refused before memory is allocated. */
const MAX_SECONDS = 3600;
const MAX_SIDE = 8192;
/** A last second that lacks up to 10 ms counts, as in `secondsOf`. */
const SHORTFALL = 0.01;
/** Upper bound on the samples of all channels (2 GB as floats). An hour of 48 kHz stereo fits. */
const MAX_SAMPLES = 2 ** 29;
/** A picture that lasts longer than this, in s, counts as a gap in the video. */
const MAX_GAP = 1;

/** Frames [seconds, 2, 3, height, width]. */
interface VideoFrames extends StoredFrames {
  /** Whole seconds covered. */
  readonly seconds: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/**
 * Decodes the 1st and the 15th picture of each second at 30 frames per second, or the nearest frames at another rate, as they are stored:
 * a picture with a side of more than 256 pixels is squashed to 256 x 256. A later picture of another size is brought to that of the first.
 * `seconds` is the number of seconds of the sound; its default is the number of full seconds of the video.
 * Throws, naming the file: unreadable, no video track, broken within, or shorter than `seconds`.
 */
export function decodeFrames(path: string, seconds?: number): Promise<VideoFrames> {
  return withInput(path, async (input) => {
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw new Error('has no video track');
    const duration = await track.computeDuration();
    const wanted = seconds ?? Math.floor(duration + SHORTFALL);
    const needed = wanted - 1 + FRAME_TIMES[1];
    if (duration <= needed) {
      throw new Error(
        seconds === undefined
          ? `lasts ${duration.toFixed(2)} s, at least one second is needed`
          : `lasts ${duration.toFixed(2)} s and is shorter than its sound of ${wanted} s`,
      );
    }
    checkLength(wanted);
    const times = await pictureTimes(track, wanted);
    const sink = new VideoSampleSink(track, { hardwareAcceleration: 'prefer-software' });
    const scratch: Scratch = { bytes: new Uint8Array(0) };
    let frames: VideoFrames | undefined;
    let index = 0;
    for await (const sample of sink.samplesAtTimestamps(times)) {
      const time = times[index] ?? 0;
      if (!sample) throw new Error(`has no picture at ${time.toFixed(2)} s`);
      try {
        if (time - sample.timestamp > MAX_GAP + sample.duration) {
          throw new Error(
            `has no picture between ${sample.timestamp.toFixed(2)} s and ${time.toFixed(2)} s (broken file?)`,
          );
        }
        const picture = await toPixels(sample, scratch);
        frames ??= emptyFrames(picture, wanted);
        const stored = storedPicture(picture.rgba, picture.width, picture.height, frames);
        frames.data.set(stored, index * stored.length);
      } finally {
        sample.close();
      }
      index += 1;
    }
    if (!frames || index < times.length) throw new Error(`ends after ${index} of ${times.length} pictures`);
    return frames;
  });
}

/**
 * Decodes the sound of a WAV file or of any file FFmpeg reads, beginning at time 0 of the file.
 * Throws, naming the file: unreadable, truncated, no sound, longer than an hour.
 */
export async function decodeSound(path: string): Promise<Wav> {
  if (await isWav(path)) return readWav(path);
  return withInput(path, async (input) => {
    const track = await input.getPrimaryAudioTrack();
    if (!track) throw new Error('has no sound');
    const sampleRate = await track.getSampleRate();
    const count = await track.getNumberOfChannels();
    const duration = await track.computeDuration();
    checkLength(duration);
    const length = Math.round(Math.max(0, duration) * sampleRate);
    if (!(length * count <= MAX_SAMPLES)) {
      throw new Error(
        `has ${count} channels of ${length} samples, more than fit into memory: cut it into parts`,
      );
    }
    const channels = Array.from({ length: count }, () => new Float32Array(length));
    let end = 0;
    for await (const sample of new AudioSampleSink(track).samples()) {
      // Samples before time 0 are the codec's priming and are skipped. A late start leaves silence.
      const start = Math.round(sample.timestamp * sampleRate);
      const skipped = Math.max(0, -start);
      const kept = Math.min(sample.numberOfFrames, length - start) - skipped;
      if (sample.sampleRate !== sampleRate || sample.numberOfChannels !== count) {
        sample.close();
        throw new Error(`changes its sampling rate or channels at ${sample.timestamp.toFixed(2)} s`);
      }
      for (let c = 0; c < count && kept > 0; c++) {
        sample.copyTo((channels[c] as Float32Array).subarray(start + skipped, start + skipped + kept), {
          planeIndex: c,
          format: 'f32-planar',
          frameOffset: skipped,
          frameCount: kept,
        });
      }
      end = Math.max(end, start + skipped + Math.max(0, kept));
      sample.close();
    }
    if (end === 0) throw new Error('has no sound: its audio track is empty');
    return { sampleRate, channels: channels.map((samples) => samples.slice(0, end)) };
  });
}

/** True if the file has a video track, so that `decodeFrames` has something to decode. */
function hasVideo(path: string): Promise<boolean> {
  return withInput(path, async (input) => (await input.getPrimaryVideoTrack()) !== null);
}

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
export async function measureMedia({ audio, video }: MeasureJob): Promise<MediaSize> {
  const sound = await withInput(audio, async (input) => {
    const track = await input.getPrimaryAudioTrack();
    if (!track) throw new Error('has no sound');
    const codec = await track.getCodec();
    const format = codec === 'pcm-s16' ? 'i16' : codec === 'pcm-s24' ? 'i24' : 'f32';
    return { seconds: Math.floor((await track.computeDuration()) + SHORTFALL), format } as const;
  });
  const picture = await withInput(video, async (input) => {
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw new Error('has no video track');
    const [width, height] = [await track.getDisplayWidth(), await track.getDisplayHeight()];
    return storedSize(width, height);
  });
  return { ...sound, ...picture };
}

export interface MediaJob {
  readonly path: string;
}

/** Sound and pictures of a file, which has at least one of them. */
export interface Media {
  readonly sound: Wav | undefined;
  /** Pictures for each full second of the sound, or of the video if there is no sound. */
  readonly frames: VideoFrames | undefined;
}

/** Decodes sound and pictures of one file. Throws, naming the file, as `decodeSound` and `decodeFrames` do. */
export async function decodeMedia({ path }: MediaJob): Promise<Media> {
  const pictured = await hasVideo(path);
  const sounding = await withInput(path, async (input) => (await input.getPrimaryAudioTrack()) !== null);
  if (!sounding && !pictured) throw new Error(`${path} has neither sound nor pictures`);
  const sound = sounding ? await decodeSound(path) : undefined;
  const seconds = sound && Math.floor((sound.channels[0]?.length ?? 0) / sound.sampleRate + SHORTFALL);
  if (seconds === 0) throw new Error(`${path} lasts less than a second`);
  const frames = pictured ? await decodeFrames(path, seconds) : undefined;
  return { sound, frames };
}

/** Timestamps half a frame after the wanted ones, because the sink returns the last frame that began before a timestamp. */
async function pictureTimes(track: InputVideoTrack, seconds: number): Promise<number[]> {
  const { averagePacketRate } = await track.computePacketStats(64);
  const half = 0.5 / (averagePacketRate > 0 ? averagePacketRate : 30);
  const first = await track.getFirstTimestamp();
  return Array.from({ length: seconds }, (_, second) =>
    FRAME_TIMES.map((time) => Math.max(first, second + time + half)),
  ).flat();
}

/** Room for the frames of a video whose pictures are of this size. */
function emptyFrames({ width, height }: Picture, seconds: number): VideoFrames {
  const stored = storedSize(width, height);
  const data = new Uint8Array(seconds * FRAME_TIMES.length * 3 * stored.width * stored.height);
  return { seconds, ...stored, data };
}

interface Picture {
  /** [height, width, 4]. */
  readonly rgba: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Room for one picture, which all pictures of a video use in turn. */
interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
}

async function toPixels(sample: VideoSample, scratch: Scratch): Promise<Picture> {
  if (sample.rotation !== 0 || sample.flip) {
    const { displayWidth: width, displayHeight: height } = sample;
    const upright = await sample.transform({ width, height, fit: 'fill' });
    try {
      return await copyPixels(upright, scratch);
    } finally {
      upright.close();
    }
  }
  return copyPixels(sample, scratch);
}

async function copyPixels(sample: VideoSample, scratch: Scratch): Promise<Picture> {
  const { codedWidth, codedHeight } = sample;
  if (codedWidth > MAX_SIDE || codedHeight > MAX_SIDE) {
    throw new Error(`has pictures of ${codedWidth} x ${codedHeight}, more than ${MAX_SIDE} pixels a side`);
  }
  const { width, height } = sample.visibleRect;
  const size = sample.allocationSize({ format: 'RGBA' });
  if (scratch.bytes.length < size) scratch.bytes = new Uint8Array(size);
  const rgba = scratch.bytes.subarray(0, size);
  await sample.copyTo(rgba, { format: 'RGBA' });
  return { rgba, width, height };
}

async function withInput<T>(path: string, use: (input: Input) => Promise<T>): Promise<T> {
  await checkFile(path);
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    // A format reader may throw on bytes of another format, which also means that it cannot read the file.
    if (!(await input.canRead().catch(() => false))) {
      throw new Error('is not a media file this program reads (mp4, mkv, webm, wav, ...)');
    }
    return await use(input);
  } catch (error) {
    throw new Error(`${path} ${withVerb(messageOf(error))}`, { cause: error });
  } finally {
    input.dispose();
  }
}

/** Our own messages continue a sentence that begins with the file's name; those of the libraries get a verb first. */
function withVerb(message: string): string {
  return /^(has|is|lasts|ends|changes) /.test(message)
    ? message
    : `cannot be decoded (broken or truncated?): ${message}`;
}

async function checkFile(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('not a file');
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new Error(`${path} ${reason}`, { cause: error });
  }
}

async function isWav(path: string): Promise<boolean> {
  await checkFile(path);
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(12), 0, 12, 0);
    const text = String.fromCharCode(...buffer);
    return bytesRead === 12 && text.startsWith('RIFF') && text.endsWith('WAVE');
  } finally {
    await file.close();
  }
}

async function readWav(path: string): Promise<Wav> {
  const { size } = await stat(path);
  // 48 kHz, 24 bit, stereo is 288 kB per second; eight times as much allows for any usual format.
  if (size > MAX_SECONDS * 288_000 * 8)
    throw new Error(`${path} is too large: ${size} bytes; cut it into parts`);
  try {
    return decodeWav(await readFile(path));
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

function checkLength(seconds: number): void {
  if (!(seconds <= MAX_SECONDS)) {
    throw new Error(`lasts ${seconds} s, more than ${MAX_SECONDS} s: cut it into parts`);
  }
}
