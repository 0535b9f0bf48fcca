// Any media file as inputs of the models, second by second, for `predict` and `features`.

import { resampleStereo } from '../../audio/resample.ts';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../../audio/clip.ts';
import type { Wav } from '../../audio/wav.ts';
import { framesOf } from '../../features/frames.ts';
import type { InputName, SoundInputName } from '../../features/inputs.ts';
import { soundInput } from '../../features/sound.ts';
import { readMedia, readSound } from './read-media.ts';
import { frameBytes } from './records.ts';

/** Inputs from a file; a part is null if the file has no such track. */
export interface MediaSeconds {
  readonly seconds: number;
  /** The sound inputs that were asked for, [seconds, ...]. */
  readonly sound: Readonly<Partial<Record<SoundInputName, Float32Array<ArrayBuffer>>>> | null;
  /** RGB bytes [seconds, 2, 3, size, size]. */
  readonly frames: Uint8Array<ArrayBuffer> | null;
  /** Sentences about what the file lacks, which name it. */
  readonly warnings: readonly string[];
  /** True if the file was cut: it describes more than it has. */
  readonly truncated: boolean;
}

interface MediaOptions {
  readonly inputs: readonly InputName[];
  /** Side of frames in pixels. */
  readonly size: number;
}

/**
 * Decodes sound and pictures of a media file into inputs, by the same steps as clips of a data set.
 * Throws, naming the file, if it is unreadable or shorter than one second.
 */
export async function readMediaSeconds(
  path: string,
  { inputs, size }: MediaOptions,
  signal: AbortSignal,
): Promise<MediaSeconds> {
  const media = await readMedia(path, { signal });
  const sound = media.sound === undefined ? null : secondsOfMedia(path, media.sound);
  const frames = media.frames ?? null;
  // Both are cut to the sound's full seconds, but they may differ in a last second that lacks some samples.
  const seconds = Math.min(sound?.length ?? Infinity, frames?.seconds ?? Infinity);
  const entries = inputs.flatMap((input) =>
    input === 'frames' || sound === null ? [] : [[input, soundInput(sound, input, 'sample')] as const],
  );
  return {
    seconds,
    sound: sound && Object.fromEntries(entries),
    frames: frames && inputs.includes('frames') ? framesAt(frames, size) : null,
    warnings: media.warnings,
    truncated: media.truncated,
  };
}

/** Log-mel features [seconds, 6, 128, 39] of a media file's sound. Throws, naming the file, as `readMediaSeconds` does. */
export async function readFeatures(path: string): Promise<Float32Array<ArrayBuffer>> {
  return soundInput(secondsOfMedia(path, await readSound(path)), 'logmel', 'sample');
}

function secondsOfMedia(path: string, { sampleRate, channels }: Wav): Stereo[] {
  const sound = resampleStereo(toStereo(channels), sampleRate, SAMPLE_RATE);
  const seconds = secondsOf(sound);
  if (seconds.length > 0) return seconds;
  throw new Error(
    `${path} has ${(sound[0].length / SAMPLE_RATE).toFixed(2)} s of sound, at least one second is needed`,
  );
}

function framesAt(
  frames: Parameters<typeof framesOf>[0] & { seconds: number },
  size: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(frames.seconds * frameBytes(size));
  framesOf(frames, size, out);
  return out;
}
