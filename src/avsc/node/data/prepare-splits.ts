// Decodes the splits of a data set together, so that every bad clip is reported at once.

import { assertDisjoint, type Clip } from '../../dataset/clips.ts';
import { readSplit } from './dataset.ts';
import { prepareClips, type PreparedClip } from './prepare.ts';

export type SplitName = Parameters<typeof readSplit>[1];

/**
 * Reads and decodes several splits of a data set's folder, in the order named. Labels are names of `scenes`, by default the data set's own.
 * Throws as `readSplit` and `prepareClips` do, and if the training and the evaluation split share a clip.
 */
export async function prepareSplits(
  root: string,
  names: readonly SplitName[],
  { scenes, ...options }: Parameters<typeof prepareClips>[2] & { readonly scenes?: readonly string[] },
): Promise<{ readonly splits: readonly PreparedClip[][]; readonly cached: number }> {
  const listed = await Promise.all(names.map((name) => readSplit(root, name, scenes)));
  const named = (name: SplitName): Clip[] => listed[names.indexOf(name)] ?? [];
  assertDisjoint(named('train'), named('evaluate'));
  // A test split lists the clips of the evaluation split again.
  const all = [...new Map(listed.flat().map((clip) => [clip.audio, clip])).values()];
  const { clips, cached } = await prepareClips(root, all, options);
  const prepared = new Map(clips.map((clip) => [clip.audio, clip]));
  const splits = listed.map((split) =>
    split.flatMap((clip) => {
      const found = prepared.get(clip.audio);
      // Label and row are those of this split, not of the split that listed the clip first.
      return found ? [{ ...found, ...clip }] : [];
    }),
  );
  return { splits, cached };
}
