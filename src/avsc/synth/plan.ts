// The plan of a generated data set: its clips, its split by location and its tables.

import { SCENES, type Scene } from '../dataset/scenes.ts';
import { permutation, randomStream } from '../dataset/random.ts';

export interface DatasetOptions {
  readonly seed: number;
  /** Clips per scene in the training part, each from a different location. */
  readonly train: number;
  /** Clips per scene in the evaluation part, from further locations. */
  readonly evaluate: number;
  /** Length of a clip in s. */
  readonly seconds: number;
}

export const DATASET_DEFAULTS: DatasetOptions = { seed: 1, train: 4, evaluate: 2, seconds: 10 };

export interface ClipPlan {
  readonly scene: Scene;
  /** `city-location`. */
  readonly location: string;
  /** File name without folder and extension. */
  readonly name: string;
  readonly split: 'train' | 'evaluate';
}

const CITIES = ['aosta', 'bergen', 'cadiz', 'delft', 'evora', 'fulda', 'ghent', 'husum'] as const;

/** All clips, scene by scene, the training clips first. Throws if a number is out of range. */
export function planClips(options: DatasetOptions): ClipPlan[] {
  checkOptions(options);
  const perScene = options.train + options.evaluate;
  return SCENES.flatMap((scene, sceneNumber) => {
    const cities = permutation(CITIES.length, randomStream(options.seed, scene, 'cities'));
    return Array.from({ length: perScene }, (_, i): ClipPlan => {
      const number = sceneNumber * perScene + i;
      const location = `${CITIES[cities[i % CITIES.length] ?? 0]}-${number}`;
      return {
        scene,
        location,
        name: `${scene}-${location}-${1000 + number}`,
        split: i < options.train ? 'train' : 'evaluate',
      };
    });
  });
}

/** The tables of TAU's layout by their path in the data set's folder. */
export function planTables(clips: readonly ClipPlan[]): Map<string, string> {
  const files = ({ name }: ClipPlan): string[] => [`audio/${name}.wav`, `video/${name}.mp4`];
  const header = ['filename_audio', 'filename_video'];
  const table = (rows: readonly string[][]): string => rows.map((row) => `${row.join('\t')}\n`).join('');
  const train = clips.filter(({ split }) => split === 'train');
  const evaluate = clips.filter(({ split }) => split === 'evaluate');
  const labelled = (part: readonly ClipPlan[]): string =>
    table([[...header, 'scene_label'], ...part.map((clip) => [...files(clip), clip.scene])]);
  return new Map([
    ['evaluation_setup/fold1_train.csv', labelled(train)],
    ['evaluation_setup/fold1_evaluate.csv', labelled(evaluate)],
    ['evaluation_setup/fold1_test.csv', table([header, ...evaluate.map(files)])],
    [
      'meta.csv',
      table([
        [...header, 'scene_label', 'identifier'],
        ...clips.map((clip) => [...files(clip), clip.scene, clip.location]),
      ]),
    ],
  ]);
}

function checkOptions({ seed, train, evaluate, seconds }: DatasetOptions): void {
  const wrong =
    !Number.isSafeInteger(seed) || seed < 0
      ? `the seed must be an integer of at least 0, got ${seed}`
      : !isCount(train, 1000) || !isCount(evaluate, 1000)
        ? `clips per scene must be integers from 1 to 1000, got ${train} and ${evaluate}`
        : !isCount(seconds, 60)
          ? `the length of a clip must be an integer from 1 to 60 s, got ${seconds}`
          : undefined;
  if (wrong !== undefined) throw new Error(wrong);
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}
