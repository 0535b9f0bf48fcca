// Starts or resumes a run: reads given weights, decodes the data set, creates the folder, and trains.

import { join, resolve } from 'node:path';
import { splitByLocation } from '../../dataset/validation.ts';
import { MODALITIES, type Modality } from '../../models/joint.ts';
import { pictureInput } from '../../training/model.ts';
import {
  extractorNames,
  makeRecipe,
  type ExtractorChoices,
  type Recipe,
  type RecipeOptions,
} from '../../training/recipe.ts';
import type { RunResults } from '../../training/records.ts';
import type { ArchitectureName } from '../../weights/architecture.ts';
import type { ImportReport } from '../../weights/import.ts';
import { makeDemoDataset } from '../data/demo.ts';
import { prepareSplits } from '../data/prepare-splits.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { assertNoRun, createRun, freeRunPath, type RunFolder } from '../runs/folder.ts';
import { readGivenWeights, type GivenWeights } from '../weights/given.ts';
import { runTraining, type TrainingData, type TrainingEvents, type TrainingOptions } from './train.ts';

/** A published net that replaces a preset's extractor, and the checkpoint with its initial weights. */
interface ExtractorFile {
  readonly architecture: ArchitectureName;
  /** Path of the checkpoint; undefined for random weights. */
  readonly weights: string | undefined;
}

/** Options of a new run. */
export interface NewRun {
  readonly recipe: Omit<RecipeOptions, 'extractors'>;
  /** Null keeps the preset's own net. */
  readonly extractors: Readonly<Record<Modality, ExtractorFile | null>>;
  /** Folder of the data set; undefined for the demonstration set, which is generated if it does not exist. */
  readonly data: string | undefined;
  /** The run's folder; undefined for a new one under runs/. */
  readonly out: string | undefined;
}

/** Callbacks before the first stage and during the training. */
export interface StartEvents extends TrainingEvents {
  onWeights?(report: ImportReport): void;
  /** `done` of `total` clips of the demonstration set are generated. */
  onMaking?(done: number, total: number): void;
  /** `made` is false if the demonstration set existed already. */
  onDemo?(path: string, made: boolean): void;
  onDecoding?(done: number, total: number): void;
  /** Called when the run's folder exists. */
  onRun?(path: string, resumed: boolean): void;
}

interface StartOptions extends Omit<TrainingOptions, 'folder' | 'data' | 'resume'> {
  readonly events: StartEvents;
}

interface FinishedRun {
  readonly path: string;
  readonly results: RunResults;
}

/** Creates a run and trains it to the end. Throws one sentence that names the file or folder at fault. */
export async function startTraining(run: NewRun, options: StartOptions): Promise<FinishedRun> {
  const { events } = options;
  // Checked before decoding, which may take minutes.
  if (run.out !== undefined) await assertNoRun(run.out);
  const given = await readWeights(run, events);
  const extractors: ExtractorChoices = {
    audio: choice(run, given, 'audio'),
    video: choice(run, given, 'video'),
  };
  const data = run.data === undefined ? await demoDataset(options) : resolve(run.data);
  const { size } = pictureInput(run.recipe.preset, extractorNames({ extractors }));
  const splits = await decode(data, size, options);
  const recipe = makeRecipe({ ...run.recipe, extractors }, splits.train.length);
  const states = new Map([...given].map(([part, { state }]) => [part, state]));
  const path = run.out ?? (await freeRunPath(recipe.preset));
  return train(await createRun(path, { data, recipe }, states), splits, false, options);
}

/** Resumes a run from its last checkpoint, to the same bits as without interruption. */
export async function resumeTraining(folder: RunFolder, options: StartOptions): Promise<FinishedRun> {
  const { data, recipe } = folder.config;
  const { size } = pictureInput(recipe.preset, extractorNames(recipe));
  return train(folder, await decode(data, size, options), true, options);
}

async function train(
  folder: RunFolder,
  { train: listed, evaluate }: Splits,
  resume: boolean,
  options: StartOptions,
): Promise<FinishedRun> {
  options.events.onRun?.(folder.path, resume);
  const data = { ...holdOut(listed, folder.config.recipe), evaluate };
  return { path: folder.path, results: await runTraining({ ...options, folder, data, resume }) };
}

async function readWeights(
  { extractors }: NewRun,
  events: StartEvents,
): Promise<Map<Modality, GivenWeights>> {
  const given = new Map<Modality, GivenWeights>();
  for (const part of MODALITIES) {
    const { architecture, weights } = extractors[part] ?? {};
    if (architecture === undefined || weights === undefined) continue;
    const read = await readGivenWeights(architecture, weights);
    events.onWeights?.(read.report);
    given.set(part, read);
  }
  return given;
}

function choice(
  { extractors }: NewRun,
  given: ReadonlyMap<Modality, GivenWeights>,
  part: Modality,
): ExtractorChoices[Modality] {
  const extractor = extractors[part];
  return extractor && { architecture: extractor.architecture, weights: given.get(part)?.source ?? null };
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

async function decode(root: string, size: number, { cache, signal, events }: StartOptions): Promise<Splits> {
  const onProgress = (done: number, total: number): void => events.onDecoding?.(done, total);
  const { splits } = await prepareSplits(root, ['train', 'evaluate'], { cache, size, signal, onProgress });
  const [train = [], evaluate = []] = splits;
  return { train, evaluate };
}

function holdOut(
  clips: readonly PreparedClip[],
  { validation, seed }: Recipe,
): Omit<TrainingData, 'evaluate'> {
  return validation === 0 ? { train: clips, validation: [] } : splitByLocation(clips, validation, seed);
}
