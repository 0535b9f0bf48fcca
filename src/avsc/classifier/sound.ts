// Sound as a page or a program has it, as seconds at 48 kHz.

import { formatValue } from '../../tensor/graph/wording.ts';
import { SAMPLE_RATE, secondsOf, toStereo, type Stereo } from '../audio/clip.ts';
import { resampleStereo } from '../audio/resample.ts';

/** Mono, [left, right] of equal length, or an AudioBuffer, of which the first two channels count. Samples in [-1, 1]. */
export type SceneAudio = Float32Array | readonly Float32Array[] | AudioBuffer;

interface SceneSound {
  readonly audio: SceneAudio;
  /** In Hz; an AudioBuffer has its own. */
  readonly sampleRate?: number;
}

/** More than a second by this many samples is still one: rates are not exact. */
const MAX_EXTRA = SAMPLE_RATE / 100;

/** The whole seconds of a recording, resampled at once. Throws a TypeError or RangeError of one sentence. */
export function soundSeconds(sound: SceneSound): Stereo[] {
  const { channels, rate } = channelsOf(sound);
  const seconds = secondsOf(at48k(channels, rate));
  if (seconds.length > 0) return seconds;
  throw new RangeError(
    `audio has ${(channels[0].length / rate).toFixed(3)} s at ${rate} Hz, at least one second is needed`,
  );
}

/** One second. Throws a RangeError of one sentence if there is less or more of it. */
export function soundSecond(sound: SceneSound): Stereo {
  const { channels, rate } = channelsOf(sound);
  const length = (channels[0].length * SAMPLE_RATE) / rate;
  if (length > SAMPLE_RATE + MAX_EXTRA)
    throw new RangeError(
      `audio has ${(channels[0].length / rate).toFixed(3)} s at ${rate} Hz, classify takes one second: use classifyAll`,
    );
  const [second] = soundSeconds(sound);
  if (second === undefined) throw new RangeError('audio has no second');
  return second;
}

function at48k(channels: Stereo, rate: number): Stereo {
  return resampleStereo(channels, rate, SAMPLE_RATE);
}

function channelsOf({ audio, sampleRate }: SceneSound): { readonly channels: Stereo; readonly rate: number } {
  const { list, rate } = listOf(audio, sampleRate);
  if (typeof rate !== 'number' || !(rate > 0 && Number.isFinite(rate)))
    throw new RangeError(`sampleRate must be a number of Hz above 0, got ${formatValue(rate)}`);
  for (const channel of list) {
    if (!(channel instanceof Float32Array))
      throw new TypeError(
        `audio must be a Float32Array, [left, right] of them or an AudioBuffer, got ${formatValue(audio)}`,
      );
    const bad = channel.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new RangeError(`audio has ${channel[bad] ?? NaN} at sample ${bad}`);
  }
  if (list.length < 1 || list.length > 2)
    throw new RangeError(`audio must have one or two channels, got ${list.length}`);
  return { channels: toStereo(list as readonly Float32Array[]), rate };
}

function listOf(
  audio: SceneAudio,
  sampleRate: number | undefined,
): { readonly list: readonly unknown[]; readonly rate: number | undefined } {
  if (typeof AudioBuffer !== 'undefined' && audio instanceof AudioBuffer) {
    if (sampleRate !== undefined && sampleRate !== audio.sampleRate)
      throw new RangeError(`sampleRate is ${sampleRate} Hz, the AudioBuffer has ${audio.sampleRate} Hz`);
    const count = Math.min(2, audio.numberOfChannels);
    return {
      list: Array.from({ length: count }, (_, i) => audio.getChannelData(i)),
      rate: audio.sampleRate,
    };
  }
  return { list: Array.isArray(audio) ? (audio as readonly unknown[]) : [audio], rate: sampleRate };
}
