// The recipe of a run: an experiment with the files of its initial weights and its validation part, as config.json stores it.

import type { Experiment } from './experiment.ts';
import { number, object, optional, record, text, within, type Reader } from './fields.ts';
import { readExperiment } from './read.ts';
import { writeExperiment } from './write.ts';

/** A file of initial weights. */
interface WeightsFile {
  readonly file: string;
  /** In hex. */
  readonly sha256: string;
}

export interface Recipe extends Experiment {
  readonly validation: number;
  /** Files of the nets' initial weights; null for a net that begins with random ones. */
  readonly weights: Readonly<Record<string, WeightsFile | null>>;
}

/** With at least so many training clips, a tenth of them is held out for validation by default. */
const CLIPS_FOR_VALIDATION = 500;

/** The recipe of a run on a training split of `clips` clips. */
export function makeRecipe(experiment: Experiment, weights: Recipe['weights'], clips: number): Recipe {
  const validation = experiment.validation ?? (clips >= CLIPS_FOR_VALIDATION ? 0.1 : 0);
  return { ...experiment, validation, weights };
}

/** JSON value of a recipe. */
export function writeRecipe({ weights, ...experiment }: Recipe): object {
  return { experiment: writeExperiment(experiment), weights };
}

/** Reads a recipe back. Throws an Error that names the first field that is missing or out of range. */
export function readRecipe(value: unknown): Recipe {
  const fields = object(value, 'recipe', ['experiment', 'weights']);
  const experiment = readExperiment(fields['experiment']);
  const validation = number({ min: 0, max: 0.9 })(experiment.validation, 'validation');
  const weights = record(optional(readWeights))(fields['weights'], 'weights');
  for (const net of Object.keys(experiment.nets)) {
    if (weights[net] === undefined) throw new Error(`weights lacks the net ${net}`);
  }
  return { ...experiment, validation, weights };
}

const readWeights: Reader<WeightsFile> = (value, name) => {
  const fields = object(value, name, ['file', 'sha256']);
  const sha256 = text(fields['sha256'], within(name, 'sha256'));
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`${within(name, 'sha256')} is not a SHA-256 in hex`);
  return { file: text(fields['file'], within(name, 'file')), sha256 };
};
