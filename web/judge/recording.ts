// A recording that was dropped: its seconds of sound, and its pictures at 0 and 14/30 s of each.

import { SAMPLE_RATE, type SceneInput } from 'wavelight/avsc';

/** The second picture of each second, as the data set has it. */
const SECOND_PICTURE = 14 / 30;
/** Longer pictures are drawn smaller: the nets see far less. */
const LONGEST_SIDE = 640;

export interface Recording {
  /** Whole seconds. */
  readonly seconds: number;
  /** What is heard and seen in a second. */
  input(second: number): Promise<SceneInput>;
  /** Plays the file; null for sound alone. */
  readonly video: HTMLVideoElement | null;
  close(): void;
}

/** Throws an Error of one sentence if the browser can neither hear nor see anything in the file, or it is shorter than a second. */
export async function openRecording(file: File, player: HTMLVideoElement): Promise<Recording> {
  const [sound, video] = await Promise.all([soundOf(file), videoOf(file, player)]);
  if (sound === null && video === null)
    throw new Error(`${file.name}: this browser finds neither sound nor pictures in it`);
  const length = Math.min(sound?.duration ?? Infinity, video?.duration ?? Infinity);
  const seconds = Math.floor(length + 0.01);
  if (seconds < 1)
    throw new Error(`${file.name} lasts ${length.toFixed(2)} s: at least one second is needed`);
  return {
    seconds,
    video,
    async input(second) {
      const images = video && (await picturesOf(video, second));
      return {
        ...(sound && { audio: secondOf(sound, second), sampleRate: SAMPLE_RATE }),
        ...(images && { images }),
      };
    },
    close: () => {
      URL.revokeObjectURL(player.src);
      player.removeAttribute('src');
      player.load();
    },
  };
}

async function soundOf(file: File): Promise<AudioBuffer | null> {
  try {
    return await new OfflineAudioContext(2, 1, SAMPLE_RATE).decodeAudioData(await file.arrayBuffer());
  } catch {
    return null;
  }
}

/** A second of each channel; a last one that lacks a few samples ends in zeros. */
function secondOf(sound: AudioBuffer, second: number): Float32Array[] {
  return Array.from({ length: Math.min(2, sound.numberOfChannels) }, (_, channel) => {
    const samples = new Float32Array(SAMPLE_RATE);
    samples.set(sound.getChannelData(channel).subarray(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE));
    return samples;
  });
}

/** The player with the file in it; null if it has no pictures. */
async function videoOf(file: File, player: HTMLVideoElement): Promise<HTMLVideoElement | null> {
  player.src = URL.createObjectURL(file);
  const loaded = await new Promise<boolean>((resolve) => {
    player.addEventListener('loadeddata', () => resolve(true), { once: true });
    player.addEventListener('error', () => resolve(false), { once: true });
  });
  return loaded && player.videoWidth > 0 && Number.isFinite(player.duration) ? player : null;
}

async function picturesOf(video: HTMLVideoElement, second: number): Promise<[ImageData, ImageData]> {
  const first = await pictureAt(video, second);
  return [first, await pictureAt(video, Math.min(second + SECOND_PICTURE, video.duration))];
}

async function pictureAt(video: HTMLVideoElement, seconds: number): Promise<ImageData> {
  if (Math.abs(video.currentTime - seconds) > 1e-3) {
    const seeked = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
    video.currentTime = seconds;
    await seeked;
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const [width, height] = [video.videoWidth, video.videoHeight].map((side) =>
    Math.max(1, Math.round(scale * side)),
  );
  const context = new OffscreenCanvas(width ?? 1, height ?? 1).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no 2D canvas');
  context.drawImage(video, 0, 0, width ?? 1, height ?? 1);
  return context.getImageData(0, 0, width ?? 1, height ?? 1);
}
