// A validation part that shares no location with the training part, because clips of the same place sound and look alike.

import type { Clip } from './clips.ts';
import { permutation, randomStream } from './random.ts';

interface ValidationSplit<C extends Clip> {
  readonly train: C[];
  readonly validation: C[];
}

/**
 * Moves whole locations into the validation part until each scene has about `fraction` (0..1) of its clips there.
 * Every scene keeps at least one location for training; a scene with a single location has no validation clip.
 * The same seed and clips give the same split. Throws if a clip's name tells no location.
 */
export function splitByLocation<C extends Clip>(
  clips: readonly C[],
  fraction: number,
  seed: number,
): ValidationSplit<C> {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new Error(`the validation part must be at least 0 and below 1, got ${fraction}`);
  }
  const locations = new Map<string, Clip[]>();
  for (const clip of clips) {
    if (clip.location === undefined) {
      throw new Error(
        `${clip.source.file}, row ${clip.source.line}: ${clip.audio} does not tell its location; ` +
          `a validation split needs names like airport-paris-9-402.wav`,
      );
    }
    const group = locations.get(clip.location) ?? [];
    group.push(clip);
    locations.set(clip.location, group);
  }
  const total = countBy(clips);
  const left = countBy([...locations.values()].flatMap(onePerScene));
  const heldOut = new Map<number | undefined, number>();
  const chosen = new Set<string>();
  const names = [...locations.keys()].sort();
  for (const index of permutation(names.length, randomStream(seed, 'validation'))) {
    const name = names[index] ?? '';
    const group = locations.get(name) ?? [];
    const fits = onePerScene(group).every(({ label }) => {
      const size = group.filter((clip) => clip.label === label).length;
      const wanted = fraction * (total.get(label) ?? 0);
      const have = heldOut.get(label) ?? 0;
      // The first location is always taken, a further one only if it brings the part nearer to the wanted size.
      const nearer = have === 0 || Math.abs(have + size - wanted) < Math.abs(have - wanted);
      return wanted > 0 && nearer && (left.get(label) ?? 0) > 1;
    });
    if (!fits) continue;
    chosen.add(name);
    for (const { label } of group) heldOut.set(label, (heldOut.get(label) ?? 0) + 1);
    for (const { label } of onePerScene(group)) left.set(label, (left.get(label) ?? 0) - 1);
  }
  const isHeldOut = (clip: Clip): boolean => clip.location !== undefined && chosen.has(clip.location);
  return { train: clips.filter((clip) => !isHeldOut(clip)), validation: clips.filter(isHeldOut) };
}

function countBy(clips: readonly Clip[]): Map<number | undefined, number> {
  const counts = new Map<number | undefined, number>();
  for (const { label } of clips) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

function onePerScene(clips: readonly Clip[]): Clip[] {
  return [...new Map(clips.map((clip) => [clip.label, clip])).values()];
}
