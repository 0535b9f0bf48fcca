// What an offline operation on recordings is.

import type { Stereo } from '../../audio/clip.ts';
import type { Random } from '../../dataset/random.ts';

/** One number that an operation takes. */
interface SoundParameter {
  /** What the number means, with its unit. */
  readonly meaning: string;
  /** The number is drawn uniformly from low to high. */
  readonly drawn: readonly [low: number, high: number];
  /** Numbers that the operation accepts. */
  readonly allowed: readonly [low: number, high: number];
}

interface SoundInput {
  readonly sound: Stereo;
  /** The other recording, where the operation takes one. */
  readonly partner?: Stereo | undefined;
  /** Random numbers beside the parameters, such as noise. */
  readonly random: Random;
}

export interface SoundOperation {
  /** What the operation does, in one line. */
  readonly title: string;
  readonly parameters: readonly SoundParameter[];
  readonly takesPartner: boolean;
  /** Returns a new sound of the same length. `value` has one number per parameter. Never changes its input. */
  readonly apply: (input: SoundInput, value: readonly number[]) => Stereo;
}

/** The `length` samples from the start of a channel, which is repeated if it is shorter. */
export function repeatTo(channel: Float32Array, length: number): Float32Array {
  if (channel.length >= length) return channel.subarray(0, length);
  const out = new Float32Array(length);
  for (let at = 0; at < length; at += channel.length) {
    out.set(channel.subarray(0, Math.min(channel.length, length - at)), at);
  }
  return out;
}
