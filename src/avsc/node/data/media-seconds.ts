// Any media file as inputs of the models, second by second, for `predict` and `features`.

import { resample } from '../../audio/resample.ts';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../../audio/clip.ts';
import type { Wav } from '../../audio/wav.ts';
import { LogMelExtractor } from '../../features/logmel.ts';
import { AUDIO_VALUES } from './clip-file.ts';
import { decodeSound } from './media.ts';
import { readMedia } from './read-media.ts';

/** Inputs from a file; a part is null if the file has no such track. */
export interface MediaSeconds {
  readonly seconds: number;
  /** Log-mel features [seconds, 6, 128, 39]. */
  readonly audio: Float32Array<ArrayBuffer> | null;
  /** RGB bytes [seconds, 2, 3, size, size]. */
  readonly frames: Uint8Array<ArrayBuffer> | null;
}

/** Decodes sound and pictures of a media file. Throws, naming the file, if it is unreadable or shorter than one second. */
export async function readMediaSeconds(
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<MediaSeconds> {
  const { sound, frames } = await readMedia(path, { size }, { signal });
  const audio = sound === undefined ? null : featuresOf(path, sound);
  const seconds = audio === null ? (frames?.seconds ?? 0) : audio.length / AUDIO_VALUES;
  // Both are cut to the sound's full seconds, but they may differ in a last second that lacks some samples.
  return { seconds: Math.min(seconds, frames?.seconds ?? seconds), audio, frames: frames?.data ?? null };
}

/** Log-mel features [seconds, 6, 128, 39] of a media file's sound. Throws, naming the file, as `readMediaSeconds` does. */
export async function readFeatures(path: string): Promise<Float32Array<ArrayBuffer>> {
  return featuresOf(path, await decodeSound(path));
}

function featuresOf(path: string, { sampleRate, channels }: Wav): Float32Array<ArrayBuffer> {
  const sound = atStandardRate(toStereo(channels), sampleRate);
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

function atStandardRate([left, right]: Stereo, rate: number): Stereo {
  if (rate === SAMPLE_RATE) return [left, right];
  const first = resample(left, rate, SAMPLE_RATE);
  return [first, right === left ? first : resample(right, rate, SAMPLE_RATE)];
}
