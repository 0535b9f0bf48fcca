// Any media file as the models' inputs, second by second: what predict and features look at.

import { resample } from '../audio/resample.ts';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../audio/clip.ts';
import { LogMelExtractor } from '../features/logmel.ts';
import { AUDIO_VALUES, frameBytes } from './clip-file.ts';
import { decodeFrames, decodeSound, hasVideo } from './media.ts';

/** Sound of any rate and number of channels as the features want it: two channels at 48 kHz. */
export async function readSound(path: string): Promise<Stereo> {
  const { sampleRate, channels } = await decodeSound(path);
  const [left, right] = toStereo(channels);
  if (sampleRate === SAMPLE_RATE) return [left, right];
  const first = resample(left, sampleRate, SAMPLE_RATE);
  return [first, right === left ? first : resample(right, sampleRate, SAMPLE_RATE)];
}

/** Log-mel features [seconds, 6, 128, 39] of a media file's sound. Throws, naming the file, if it has no full second. */
export async function readFeatures(path: string): Promise<Float32Array<ArrayBuffer>> {
  const sound = await readSound(path);
  const seconds = secondsOf(sound).length;
  if (seconds === 0) {
    throw new Error(
      `${path} has ${(sound[0].length / SAMPLE_RATE).toFixed(2)} s of sound, at least one second is needed`,
    );
  }
  const out = new Float32Array(seconds * AUDIO_VALUES);
  new LogMelExtractor().seconds(sound).forEach(({ data }, i) => out.set(data, i * AUDIO_VALUES));
  return out;
}

/** What a file holds for the models; a part is null where the file has no such track. */
export interface MediaSeconds {
  readonly seconds: number;
  /** Log-mel features [seconds, 6, 128, 39]. */
  readonly audio: Float32Array<ArrayBuffer> | null;
  /** RGB bytes [seconds, 2, 3, size, size]. */
  readonly frames: Uint8Array<ArrayBuffer> | null;
}

/**
 * Decodes the sound and the pictures of a media file; where both are there, their common seconds count.
 * Throws, naming the file, if it cannot be read or neither has a full second.
 */
export async function readMediaSeconds(path: string, size: number): Promise<MediaSeconds> {
  const audio = await readFeatures(path).catch((error: unknown) => {
    if (error instanceof Error && error.message === `${path} has no sound`) return null;
    throw error;
  });
  const pictured = await hasVideo(path);
  if (audio === null && !pictured) throw new Error(`${path} has neither sound nor pictures`);
  const frames = pictured ? (await decodeFrames(path, { size })).data : null;
  const lengths = [
    ...(audio ? [audio.length / AUDIO_VALUES] : []),
    ...(frames ? [frames.length / frameBytes(size)] : []),
  ];
  return { seconds: Math.min(...lengths), audio, frames };
}
