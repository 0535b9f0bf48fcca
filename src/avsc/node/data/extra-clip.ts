// Makes one extra clip: the sound of a prepared clip, changed, as an entry of the store without pictures.

import { joinSeconds, secondsOf, type Stereo } from '../../audio/clip.ts';
import { makeExtraSound } from '../../augment/sound/extras.ts';
import type { SoundOperationName } from '../../augment/sound/index.ts';
import { randomStream } from '../../dataset/random.ts';
import type { InputName } from '../../features/inputs.ts';
import { openClipFile, readSounds, writeClipFile } from './clip-file.ts';
import type { InputOptions } from './derive.ts';
import { deriveInputs, findClip, type StoredClip } from './prepare-clip.ts';

export interface ExtraJob {
  /** The new clip's file in the store. */
  readonly path: string;
  /** Entries of the original, and of the clip that is mixed with it. */
  readonly original: string;
  readonly partner: string | null;
  readonly op: SoundOperationName;
  /** Parameters of the operation. */
  readonly value: readonly number[];
  /** Key of the random numbers beside the parameters. */
  readonly key: number;
  /** Inputs of sound to derive from it. */
  readonly inputs: readonly InputName[];
  readonly options: InputOptions;
  readonly verify: boolean;
}

export type MadeExtra = Omit<StoredClip, 'path'>;

/** Makes an extra clip and its inputs, unless they are there and whole. Throws a StorageError if the store cannot be written. */
export async function makeExtra(job: ExtraJob): Promise<MadeExtra> {
  const { path, original, partner, op, value, key, inputs, options, verify } = job;
  let clip = await findClip(path, verify);
  let cached = clip !== undefined;
  if (!clip) {
    const { sound } = makeExtraSound({
      op,
      value,
      sound: await readWhole(original),
      partner: partner === null ? undefined : await readWhole(partner),
      random: randomStream(key),
    });
    await writeClipFile(path, secondsOf(sound), null);
    clip = await openClipFile(path);
  }
  const { derived, made } = await deriveInputs(clip, inputs, options, verify);
  if (made) cached = false;
  return { seconds: clip.seconds, derived, cached };
}

async function readWhole(path: string): Promise<Stereo> {
  return joinSeconds(await readSounds(await openClipFile(path)));
}
