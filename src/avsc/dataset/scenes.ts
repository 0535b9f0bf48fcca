// The ten scenes, in the order of labels, logits and submission files.

/** The data set's own names, in alphabetical order. */
export const SCENES = [
  'airport',
  'bus',
  'metro',
  'metro_station',
  'park',
  'public_square',
  'shopping_mall',
  'street_pedestrian',
  'street_traffic',
  'tram',
] as const;

export type Scene = (typeof SCENES)[number];

/** Index of a scene's name in `scenes`, or undefined if it is none of them. */
export function sceneIndex(name: string, scenes: readonly string[] = SCENES): number | undefined {
  const index = scenes.indexOf(name);
  return index === -1 ? undefined : index;
}
