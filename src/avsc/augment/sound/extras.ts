// Extra clips of a training set: which there are, and how one is made.

import type { Stereo } from '../../audio/clip.ts';
import { randomStream, uniform, type Random } from '../../dataset/random.ts';
import { SOUND_OPERATION_NAMES, SOUND_OPERATIONS, type SoundOperationName } from './index.ts';
import type { SoundOperation } from './operation.ts';

/** Copies of one clip by one operation: more would be a typing error. */
const MAX_COPIES = 100;

export interface ExtraClip {
  /** Name of the new clip, such as airport-paris-9-402+pitch-1. */
  readonly name: string;
  /** The clip that it is made of. Label and pictures are those of this clip. */
  readonly clip: string;
  readonly op: SoundOperationName;
  /** Counts the copies of one clip by one operation, from 1. */
  readonly copy: number;
  /** The clip to mix with. A mix without one takes another part of `clip`. */
  readonly partner?: string;
  /** u32 of (seed, clip, op, copy): `makeExtraSound` takes `randomStream(key)`. */
  readonly key: number;
}

/**
 * The extra clips of a training set: of each clip `copies[op]` by each operation, in the order of clips, operations, copies.
 * What is drawn for a clip comes from (seed, clip, op, copy) alone. The partner of a mix is any other clip of the same label;
 * the only clip of a label has none.
 * Throws a RangeError if a number of copies is not a whole number from 0 to 100, or if two clips have one name.
 */
export function planExtras(
  clips: readonly { readonly name: string; readonly label: string | number }[],
  copies: Partial<Readonly<Record<SoundOperationName, number>>>,
  seed: number,
): ExtraClip[] {
  for (const op of SOUND_OPERATION_NAMES) {
    const count = copies[op] ?? 0;
    if (!(Number.isInteger(count) && count >= 0 && count <= MAX_COPIES)) {
      throw new RangeError(
        `cannot make ${count} extra clips by ${op}: it must be a whole number from 0 to ${MAX_COPIES}`,
      );
    }
  }
  const classes = new Map<string | number, string[]>();
  const positions = new Map<string, number>();
  for (const { name, label } of clips) {
    if (positions.has(name)) throw new RangeError(`the clip ${name} is there twice`);
    const names = classes.get(label) ?? [];
    positions.set(name, names.length);
    names.push(name);
    classes.set(label, names);
  }
  return clips.flatMap(({ name: clip, label }) => {
    const names = classes.get(label) ?? [];
    const position = positions.get(clip) ?? 0;
    return SOUND_OPERATION_NAMES.flatMap((op) =>
      Array.from({ length: copies[op] ?? 0 }, (_, i): ExtraClip => {
        const copy = i + 1;
        const random = randomStream(seed, clip, op, copy);
        const extra = { name: `${clip}+${op}-${copy}`, clip, op, copy, key: Math.floor(random() * 2 ** 32) };
        if (!SOUND_OPERATIONS[op].takesPartner || names.length < 2) return extra;
        // Any but the clip itself.
        const drawn = Math.floor(random() * (names.length - 1));
        const partner = names[drawn < position ? drawn : drawn + 1];
        return partner === undefined ? extra : { ...extra, partner };
      }),
    );
  });
}

/**
 * Makes one extra sound, of the length of `sound`. Its parameters are drawn from `random`, unless `value` gives them, one number each.
 * `partner` is the recording to mix with; without it a mix takes another part of `sound`.
 * Throws a RangeError if a value is out of range, if there are too many or too few, or if the sound is empty.
 */
export function makeExtraSound({
  op,
  sound,
  partner,
  random,
  value,
}: {
  readonly op: SoundOperationName;
  readonly sound: Stereo;
  readonly partner?: Stereo | undefined;
  readonly random: Random;
  readonly value?: readonly number[] | undefined;
}): { sound: Stereo; value: readonly number[] } {
  const operation: SoundOperation = SOUND_OPERATIONS[op];
  if (sound[0].length === 0 || sound[0].length !== sound[1].length) {
    throw new RangeError(
      `${op} wants left and right of one length, not empty; got ${sound[0].length} and ${sound[1].length} samples`,
    );
  }
  // Drawn even if they are given, so that noise does not depend on where they come from.
  const drawn = operation.parameters.map((parameter) => uniform(random, ...parameter.drawn));
  if (value !== undefined) checkValue(op, value);
  const used = value ?? drawn;
  return { sound: operation.apply({ sound, partner, random }, used), value: used };
}

/** Throws a RangeError unless `value` has a number in range for each parameter of the operation. */
export function checkValue(op: SoundOperationName, value: readonly number[]): void {
  const { parameters }: SoundOperation = SOUND_OPERATIONS[op];
  if (value.length !== parameters.length) {
    const meanings = parameters.map(({ meaning }) => meaning).join('; ');
    throw new RangeError(
      `${op} takes ${parameters.length} ${parameters.length === 1 ? 'number' : 'numbers'} (${meanings}), got ${value.length}`,
    );
  }
  parameters.forEach(({ meaning, allowed: [low, high] }, i) => {
    const given = value[i] as number;
    if (given >= low && given <= high) return;
    throw new RangeError(`${op} by ${given} is out of range: it takes ${low} to ${high} (${meaning})`);
  });
}
