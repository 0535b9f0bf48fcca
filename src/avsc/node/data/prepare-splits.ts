// The splits of a data set, decoded together so that every bad clip is found at once.

import { assertDisjoint, type Clip } from '../../dataset/clips.ts';
import { readSplit } from './dataset.ts';
import { prepareClips, type PreparedClip } from './prepare.ts';

export type SplitName = Parameters<typeof readSplit>[1];

/**
 * Reads and decodes several splits of a data set's folder, in the order named. Throws as `readSplit` and
 * `prepareClips` do, and if training and evaluation split share a clip.
 */
export async function prepareSplits(
  root: string,
  names: readonly SplitName[],
  options: Parameters<typeof prepareClips>[2],
): Promise<{ readonly splits: readonly PreparedClip[][]; readonly cached: number }> {
  const listed = await Promise.all(names.map((name) => readSplit(root, name)));
  const named = (name: SplitName): Clip[] => listed[names.indexOf(name)] ?? [];
  assertDisjoint(named('train'), named('evaluate'));
  // A test split lists the evaluation split's clips once more.
  const all = [...new Map(listed.flat().map((clip) => [clip.audio, clip])).values()];
  const { clips, cached } = await prepareClips(root, all, options);
  const prepared = new Map(clips.map((clip) => [clip.audio, clip]));
  const splits = listed.map((split) =>
    split.flatMap((clip) => {
      const found = prepared.get(clip.audio);
      // Label and row are those of the split, not of where the clip was listed first.
      return found ? [{ ...found, ...clip }] : [];
    }),
  );
  return { splits, cached };
}
