// A recording: its seconds of sound, and its pictures at 0 and 14/30 s of each.

import { decodeWav, resample, SAMPLE_RATE, type SceneInput } from 'wavelight/avsc';

/** The second picture of each second, as the data set has it. */
export const SECOND_PICTURE = 14 / 30;
/** Longer sides are drawn smaller: the nets see far less. */
const LONGEST_SIDE = 640;
/** The browser decodes the sound as a whole: 20 minutes of stereo are 440 MiB. */
const MAX_SECONDS = 1200;
/** How long the end of a file is looked for, in ms. */
const LONGEST_SEARCH = 10_000;

export interface Recording {
  readonly name: string;
  /** Whole seconds. */
  readonly seconds: number;
  /** True if it has pictures. */
  readonly hasPictures: boolean;
  /** What a player plays. */
  readonly media: Blob;
  /** What is heard and seen in a second, read one call after the other. */
  input(second: number): Promise<SceneInput>;
  close(): void;
}

/** Throws an Error of one sentence if the browser finds neither sound nor pictures in the file, or it is too short or too long. */
export async function openRecording(file: File): Promise<Recording> {
  const video = await openVideo(file);
  const known = video?.element.duration ?? 0;
  if (known > MAX_SECONDS) {
    video?.close();
    throw new Error(
      `${file.name} lasts ${Math.round(known / 60)} minutes: cut it to at most ${MAX_SECONDS / 60}.`,
    );
  }
  const sound = await soundOf(file);
  const pictures = video !== null && video.element.videoWidth > 0 ? video.element : null;
  const close = (): void => video?.close();
  const length = Math.min(sound?.duration ?? Infinity, pictures?.duration ?? Infinity);
  const seconds = Math.floor(length + 0.01);
  if (!Number.isFinite(length) || seconds < 1) {
    close();
    throw new Error(
      sound === null && pictures === null
        ? `${file.name}: this browser finds neither sound nor pictures in it. Try an mp4, webm, wav or mp3 file.`
        : `${file.name} lasts ${length.toFixed(2)} s: at least one second is needed.`,
    );
  }
  // The element has one position, so pictures are read one after the other.
  let reading: Promise<unknown> = Promise.resolve();
  return {
    name: file.name,
    seconds,
    hasPictures: pictures !== null,
    media: file,
    async input(second) {
      const work = reading.then(() => pictures && picturesOf(pictures, second));
      reading = work.catch(() => undefined);
      const images = await work;
      return {
        ...(sound && { audio: secondOf(sound, second), sampleRate: SAMPLE_RATE }),
        ...(images && { images }),
      };
    },
    close,
  };
}

/** Sound at 48 kHz, one or two channels of equal length. */
interface Sound {
  readonly channels: readonly Float32Array[];
  /** In s. */
  readonly duration: number;
}

async function soundOf(file: File): Promise<Sound | null> {
  const bytes = await file.arrayBuffer();
  const channels = waveOf(bytes) ?? (await decoded(bytes));
  return channels && { channels, duration: (channels[0]?.length ?? 0) / SAMPLE_RATE };
}

/** Read as `wavelight predict` reads it: browsers scale its positive and its negative samples differently. Null for other files. */
function waveOf(bytes: ArrayBuffer): Float32Array[] | null {
  try {
    const { channels, sampleRate } = decodeWav(new Uint8Array(bytes));
    return channels.slice(0, 2).map((channel) => resample(channel, sampleRate, SAMPLE_RATE));
  } catch {
    return null;
  }
}

async function decoded(bytes: ArrayBuffer): Promise<Float32Array[] | null> {
  try {
    const sound = await new OfflineAudioContext(2, 1, SAMPLE_RATE).decodeAudioData(bytes);
    const count = Math.min(2, sound.numberOfChannels);
    return Array.from({ length: count }, (_, channel) => sound.getChannelData(channel));
  } catch {
    return null;
  }
}

/** A second of each channel; a last one that lacks a few samples ends in zeros. */
function secondOf({ channels }: Sound, second: number): Float32Array[] {
  return channels.map((channel) => {
    const samples = new Float32Array(SAMPLE_RATE);
    samples.set(channel.subarray(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE));
    return samples;
  });
}

interface OpenVideo {
  readonly element: HTMLVideoElement;
  close(): void;
}

/** An element of its own with the file in it, apart from the player that the user moves. Null if it cannot be played. */
async function openVideo(file: File): Promise<OpenVideo | null> {
  const element = document.createElement('video');
  element.muted = true;
  element.preload = 'auto';
  element.src = URL.createObjectURL(file);
  const close = (): void => {
    URL.revokeObjectURL(element.src);
    element.removeAttribute('src');
    element.load();
  };
  const loaded = await new Promise<boolean>((resolve) => {
    element.addEventListener('loadeddata', () => resolve(true), { once: true });
    element.addEventListener('error', () => resolve(false), { once: true });
  });
  if (loaded && Number.isFinite(await durationOf(element))) return { element, close };
  close();
  return null;
}

/** In s. Files that browsers record do not say it: going to their end finds it out. */
async function durationOf(element: HTMLVideoElement): Promise<number> {
  if (element.duration !== Infinity) return element.duration;
  const found = new Promise<void>((resolve) => {
    const look = (): void => {
      if (element.duration !== Infinity) resolve();
    };
    element.addEventListener('durationchange', look);
    element.addEventListener('error', () => resolve(), { once: true });
    setTimeout(resolve, LONGEST_SEARCH);
  });
  element.currentTime = Number.MAX_SAFE_INTEGER;
  await found;
  return element.duration;
}

async function picturesOf(video: HTMLVideoElement, second: number): Promise<[ImageData, ImageData]> {
  const first = await pictureAt(video, second);
  return [first, await pictureAt(video, Math.min(second + SECOND_PICTURE, video.duration))];
}

async function pictureAt(video: HTMLVideoElement, seconds: number): Promise<ImageData> {
  if (Math.abs(video.currentTime - seconds) > 1e-3) {
    const seeked = new Promise<void>((resolve, reject) => {
      video.addEventListener('seeked', () => resolve(), { once: true });
      video.addEventListener(
        'error',
        () => reject(new Error(`The picture at ${seconds.toFixed(1)} s cannot be decoded.`)),
        { once: true },
      );
    });
    video.currentTime = seconds;
    await seeked;
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const [width = 1, height = 1] = [video.videoWidth, video.videoHeight].map((side) =>
    Math.max(1, Math.round(scale * side)),
  );
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser has no 2D canvas.');
  context.drawImage(video, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
