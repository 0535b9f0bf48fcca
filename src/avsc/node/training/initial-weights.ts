// Finds and reads the initial weights that an experiment names.

import { join } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { netOf } from '../../training/model.ts';
import type { Experiment, NetSpec } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import type { ArchitectureName } from '../../weights/architecture.ts';
import type { ImportReport } from '../../weights/import.ts';
import { fileOf, findWeights, WEIGHT_NAMES } from '../fetch/weights.ts';
import { exists } from '../runs/folder.ts';
import { readGivenWeights } from '../weights/given.ts';

export interface WeightsOptions {
  /** Folder of published weights, where `fetch-weights` puts them. */
  readonly folder: string;
  /** What to do if published weights are not there: refuse, or begin with random ones. */
  readonly missing: 'refuse' | 'random';
  onWeights?(report: ImportReport): void;
  /** Called with a sentence about weights that are missing and replaced by random ones. */
  onMissing?(sentence: string): void;
}

interface InitialWeights {
  /** Files with their hashes, by the nets' names. */
  readonly files: Recipe['weights'];
  /** Extractors' weights, by the nets' names. */
  readonly states: ReadonlyMap<string, StateDict>;
}

/** Reads the initial weights of all nets. Throws one sentence that names the file, and how to get it if it is missing. */
export async function readInitialWeights(
  experiment: Experiment,
  options: WeightsOptions,
): Promise<InitialWeights> {
  const files: Record<string, Recipe['weights'][string]> = {};
  const states = new Map<string, StateDict>();
  for (const name of Object.keys(experiment.nets)) {
    const { architecture, weights } = netOf(experiment, name);
    files[name] = null;
    if (weights === null) continue;
    const path = isPath(weights) ? weights : await findPublished(architecture, weights, options);
    if (path === null) continue;
    const given = await readGivenWeights(architecture, path, netOf(experiment, name).options);
    options.onWeights?.(given.report);
    files[name] = given.source;
    states.set(name, given.state);
  }
  return { files, states };
}

const isPath = (weights: string): boolean => /[\\/.]/.test(weights);

/** Nets that take another net's published weights: its bottom layers. */
const FAMILY: Readonly<Partial<Record<ArchitectureName, string>>> = { resnet50_bottom: 'resnet50' };

/** Files of the openl3 package. They are in its repository, not at an address of their own. */
const OPENL3: Readonly<Partial<Record<ArchitectureName, string>>> = {
  openl3_audio: 'openl3_audio_mel256_env.h5',
  openl3_image: 'openl3_image_mel256_env.h5',
};

async function findPublished(
  architecture: ArchitectureName,
  set: NonNullable<NetSpec['weights']>,
  options: WeightsOptions,
): Promise<string | null> {
  const { folder, missing } = options;
  const name = `${FAMILY[architecture] ?? architecture}_${set}`;
  const known = WEIGHT_NAMES.includes(name);
  const file = known ? fileOf(findWeights(name)) : set === 'openl3' ? OPENL3[architecture] : undefined;
  if (file === undefined)
    throw new Error(
      `there are no published weights ${set} of ${architecture}: known are ${WEIGHT_NAMES.join(', ')}; a path names any other file`,
    );
  const path = join(folder, file);
  if (await exists(path)) return path;
  const way = known
    ? `fetch them by wavelight fetch-weights ${name} --out ${folder}`
    : 'take the file from the openl3 package';
  const sentence = `the ${set} weights of ${architecture} are not at ${path}: ${way}`;
  if (missing === 'refuse') throw new Error(`${sentence}, or begin with random ones by --random-weights`);
  options.onMissing?.(`${sentence}; this run begins with random weights instead`);
  return null;
}
