// Which seconds of the places are learned, and which are held out to measure what was learned.

import type { Modality } from '../../models/joint.ts';
import { readScenes } from '../../experiment/scenes.ts';
import type { TaughtPlace, TaughtSecond } from './types.ts';

/** A second and the index of its place. */
export interface LabelledSecond {
  readonly second: TaughtSecond;
  readonly label: number;
  /** Number of the second among all seconds of all places: the key of its draws. */
  readonly key: number;
}

interface Split {
  readonly training: readonly LabelledSecond[];
  readonly heldOut: readonly LabelledSecond[];
}

/** Share of a place that is held out. */
const SHARE = 0.3;

/**
 * Holds out whole recordings of a place that has several, the last ones, and else the last seconds of its one recording: neighbours are so
 * alike that random seconds would measure nothing. At least one second of each place is learned; a place of one second has none held out.
 */
export function splitPlaces(places: readonly TaughtPlace[]): Split {
  const [training, heldOut]: [LabelledSecond[], LabelledSecond[]] = [[], []];
  let key = 0;
  places.forEach(({ recordings }, label) => {
    const filled = recordings.filter((seconds) => seconds.length > 0);
    const several = filled.length > 1;
    const units = several ? filled : (filled[0] ?? []).map((second) => [second]);
    const held = units.length < 2 ? 0 : Math.max(1, Math.round(SHARE * units.length));
    units.forEach((seconds, i) => {
      const part = i < units.length - held ? training : heldOut;
      for (const second of seconds) part.push({ second, label, key: key++ });
    });
  });
  return { training, heldOut };
}

/** Throws an Error of one sentence unless there are two places or more, each with a second that has what is heard and seen in the others. */
export function checkPlaces(places: readonly TaughtPlace[]): void {
  if (places.length < 2)
    throw new Error(
      `there ${places.length === 1 ? 'is one place' : 'are no places'}: teach at least two, since a net can only tell places apart`,
    );
  readScenes(
    places.map(({ name }) => name),
    'places',
  );
  for (const { name, recordings } of places)
    if (!recordings.some((seconds) => seconds.length > 0)) throw new Error(`${name} has no second yet`);
}

/** The modalities that every second of every place has. Throws an Error of one sentence if there is none. */
export function sharedModalities(places: readonly TaughtPlace[]): readonly Modality[] {
  const has = (second: TaughtSecond, part: Modality): boolean => second.embeddings[part] !== undefined;
  const parts = (['audio', 'video'] as const).filter((part) =>
    places.every(({ recordings }) => recordings.flat().every((second) => has(second, part))),
  );
  if (parts.length > 0) return parts;
  throw new Error(
    'some places have sound alone and others pictures alone: record them alike, or remove those that differ',
  );
}
