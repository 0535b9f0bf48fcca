// Starts or resumes a run: reads given weights, prepares the data set, creates the folder, and trains.

import { join, resolve } from 'node:path';
import { missingScenes } from '../../dataset/clips.ts';
import { splitByLocation } from '../../dataset/validation.ts';
import type { Experiment } from '../../experiment/experiment.ts';
import { makeRecipe, type Recipe } from '../../experiment/recipe.ts';
import { inputNames } from '../../training/model.ts';
import type { RunResults } from '../../training/records.ts';
import { makeDemoDataset } from '../data/demo.ts';
import { prepareSplits } from '../data/prepare-splits.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { assertNoRun, createRun, makeRunPath, removeTemporaries, type RunFolder } from '../runs/folder.ts';
import { withRunLock } from '../runs/lock.ts';
import { readInitialWeights, type WeightsOptions } from './initial-weights.ts';
import type { TrainingClips, TrainingEvents, TrainingOptions } from './run.ts';
import { runTraining } from './train.ts';

/** A new run. */
export interface NewRun {
  readonly experiment: Experiment;
  /** Folder of the data set; undefined for the demonstration set, which is generated if it does not exist. */
  readonly data: string | undefined;
  /** The run's folder; undefined for a new one under runs/. */
  readonly out: string | undefined;
  readonly weights: Pick<WeightsOptions, 'folder' | 'missing'>;
}

/** Callbacks before the first stage and during the training. */
export interface StartEvents extends TrainingEvents, Pick<WeightsOptions, 'onWeights' | 'onMissing'> {
  /** `done` of `total` clips of the demonstration set are generated. */
  onMaking?(done: number, total: number): void;
  /** `made` is false if the demonstration set existed already. */
  onDemo?(path: string, made: boolean): void;
  onDecoding?(done: number, total: number): void;
  /** Something about the data that the user should know. */
  onWarning?(sentence: string): void;
  /** Called when the run's folder exists. */
  onRun?(path: string, resumed: boolean): void;
}

type StartOptions = Omit<TrainingOptions, 'folder' | 'clips' | 'resume' | 'events' | 'shared'> & {
  readonly events: StartEvents;
  /** Stages that runs of this recipe on this data have in common with others. */
  readonly share?: (recipe: Recipe, data: string) => TrainingOptions['shared'];
};

interface FinishedRun {
  readonly path: string;
  readonly results: RunResults;
}

/** Creates a run and trains it to the end. Throws one sentence that names the file or folder at fault, or the process that has the folder. */
export async function startTraining(run: NewRun, options: StartOptions): Promise<FinishedRun> {
  const { events } = options;
  const { experiment } = run;
  // Checked before decoding, which may take minutes.
  if (run.out !== undefined) await assertNoRun(run.out);
  const { files, states } = await readInitialWeights(experiment, { ...events, ...run.weights });
  const data = run.data === undefined ? await demoDataset(options) : resolve(run.data);
  const splits = await prepare(data, experiment, options);
  const recipe = makeRecipe(experiment, files, splits.train.length);
  const path = run.out ?? (await makeRunPath(recipe.name));
  return withRunLock(path, async () =>
    train(await createRun(path, { data, recipe }, states), splits, false, options),
  );
}

/** Resumes a run from its last checkpoint, to the same bits as without interruption. */
export async function resumeTraining(folder: RunFolder, options: StartOptions): Promise<FinishedRun> {
  const { data, recipe } = folder.config;
  return withRunLock(folder.path, async () =>
    train(folder, await prepare(data, recipe, options), true, options),
  );
}

async function train(
  folder: RunFolder,
  { train: listed, evaluate }: Splits,
  resume: boolean,
  options: StartOptions,
): Promise<FinishedRun> {
  const { data, recipe } = folder.config;
  await removeTemporaries(folder.path);
  const warning = missingScenes(listed, evaluate, recipe.scenes);
  if (warning !== null) options.events.onWarning?.(warning);
  options.events.onRun?.(folder.path, resume);
  const clips = { ...holdOut(listed, recipe), evaluate };
  const shared = options.share?.(recipe, data) ?? null;
  return { path: folder.path, results: await runTraining({ ...options, folder, clips, resume, shared }) };
}

async function demoDataset({ cache, signal, events }: StartOptions): Promise<string> {
  const onProgress = (done: number, total: number): void => events.onMaking?.(done, total);
  const { path, made } = await makeDemoDataset(join(cache, '..', 'demo'), { signal, onProgress });
  events.onDemo?.(path, made);
  return path;
}

interface Splits {
  readonly train: readonly PreparedClip[];
  readonly evaluate: readonly PreparedClip[];
}

async function prepare(
  root: string,
  experiment: Experiment,
  { cache, signal, events }: StartOptions,
): Promise<Splits> {
  const onProgress = (done: number, total: number): void => events.onDecoding?.(done, total);
  const { splits } = await prepareSplits(root, ['train', 'evaluate'], {
    cache,
    inputs: inputNames(experiment),
    size: experiment.imageSize,
    scenes: experiment.scenes,
    signal,
    onProgress,
    onEstimate: (estimate) => events.onEstimate?.(estimate),
  });
  const [train = [], evaluate = []] = splits;
  return { train, evaluate };
}

function holdOut(
  clips: readonly PreparedClip[],
  { validation, seed }: Recipe,
): Omit<TrainingClips, 'evaluate'> {
  return validation === 0 ? { train: clips, validation: [] } : splitByLocation(clips, validation, seed);
}
