// A run's folder: what is in it, under which name, and how it is found again.

import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import type { StateDict } from '../../../nn/state.ts';
import type { Modality } from '../../models/joint.ts';
import { checkRecipe, type Recipe } from '../../training/recipe.ts';
import type { RunRecord, RunResults, Stage } from '../../training/records.ts';
import { errorCode, messageOf, writeFileAtomic } from '../../../node/files.ts';

/** Where runs are made and looked for when no folder is named. */
const RUNS = 'runs';

const VERSION = 1;

/** config.json: what a run was started with. */
interface RunConfig {
  readonly version: typeof VERSION;
  /** Folder of the data set, absolute. */
  readonly data: string;
  readonly recipe: Recipe;
}

export interface RunFolder {
  readonly path: string;
  readonly config: RunConfig;
}

/** Files of a run by what they hold. */
export const runFiles = (path: string) => ({
  config: join(path, 'config.json'),
  /** One line per step and epoch. */
  records: join(path, 'metrics.jsonl'),
  /** What differs from run to run: seconds per epoch, the device. */
  timings: join(path, 'timings.jsonl'),
  /** The three models on the evaluation split. */
  results: join(path, 'metrics.json'),
  /** The weights a stage ended with; model.safetensors is the joint model. */
  weights: (stage: Stage): string =>
    join(path, stage === 'joint' ? 'model.safetensors' : `${stage}.safetensors`),
  /** Weights that an extractor was given, as imported: a run does not need their file any more. */
  given: (part: Modality): string => join(path, `given-${part}.safetensors`),
  /** Embeddings by extractors that the run itself trained and then froze. */
  embeddings: join(path, 'embeddings'),
  /** Weights, optimiser, counters: what a killed run goes on from. */
  checkpoint: join(path, 'last.safetensors'),
  report: join(path, 'report.html'),
});

/** Makes the folder, the given weights in it and its config.json. Throws if the folder already holds a run. */
export async function createRun(
  path: string,
  config: Omit<RunConfig, 'version'>,
  given: ReadonlyMap<Modality, StateDict> = new Map(),
): Promise<RunFolder> {
  const files = runFiles(path);
  await assertNoRun(path);
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw new Error(`cannot make the run's folder ${path}: ${messageOf(error)}`, { cause: error });
  });
  for (const [part, weights] of given) await writeFileAtomic(files.given(part), writeSafetensors(weights));
  // Last, since it is what makes the folder a run.
  const full: RunConfig = { version: VERSION, ...config };
  await writeFileAtomic(files.config, `${JSON.stringify(full, null, 2)}\n`);
  return { path, config: full };
}

/** Throws if the folder already holds a run. */
export async function assertNoRun(path: string): Promise<void> {
  if (!(await exists(runFiles(path).config))) return;
  throw new Error(
    `${path} already holds a run: choose another folder with --out, or go on with it by --resume`,
  );
}

/** Opens a run that exists. Throws, naming the file, if there is none or its config.json is not one of ours. */
export async function openRun(path: string): Promise<RunFolder> {
  const file = runFiles(path).config;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
      throw new Error(`${path} is not a run's folder: it has no config.json`, { cause: error });
    }
    throw new Error(`cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
  try {
    const { version, data, recipe } = JSON.parse(text) as Record<string, unknown>;
    if (version !== VERSION)
      throw new Error(`version is ${JSON.stringify(version)}, this program reads ${VERSION}`);
    if (typeof data !== 'string') throw new Error('data is missing');
    return { path, config: { version: VERSION, data, recipe: checkRecipe(recipe) } };
  } catch (error) {
    throw new Error(`${file} is not a run's configuration: ${messageOf(error)}`, { cause: error });
  }
}

/** The run under `parent` that was finished last. Throws if there is none. */
export async function newestRun(parent = RUNS): Promise<RunFolder> {
  const newest = await newestWith(parent, (path) => runFiles(path).weights('joint'));
  if (newest !== undefined) return openRun(newest);
  throw new Error(
    `there is no finished run under ${parent}/: train one first (wavelight train), or name one with --run`,
  );
}

/** The run under `parent` that was started last and has no results yet. Throws if there is none. */
export async function newestUnfinishedRun(parent = RUNS): Promise<RunFolder> {
  const newest = await newestWith(
    parent,
    (path) => runFiles(path).config,
    (path) => runFiles(path).results,
  );
  if (newest !== undefined) return openRun(newest);
  throw new Error(`there is no unfinished run under ${parent}/: name one with --out`);
}

/** The folder in `parent` whose file `has` changed last, among those without a file `lacks`. */
async function newestWith(
  parent: string,
  has: (path: string) => string,
  lacks?: (path: string) => string,
): Promise<string | undefined> {
  const names = await readdir(parent).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(parent, name);
      if (lacks && (await exists(lacks(path)))) return undefined;
      const file = await stat(has(path)).catch(() => undefined);
      return file && { path, time: file.mtimeMs };
    }),
  );
  return found.filter((run) => run !== undefined).sort((a, b) => b.time - a.time)[0]?.path;
}

/** A name for a new run that does not exist yet: the first free number under `parent`. */
export async function freeRunPath(name: string, parent = RUNS): Promise<string> {
  for (let number = 1; ; number++) {
    const path = join(parent, `${name}-${number}`);
    if (!(await exists(path))) return path;
  }
}

/** The lines of metrics.jsonl. Throws, naming the line, if one is not JSON. */
export async function readRecords(path: string): Promise<RunRecord[]> {
  const file = runFiles(path).records;
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as RunRecord;
    } catch (error) {
      throw new Error(`${file}, line ${i + 1} is not JSON: the file was changed or its disk was full`, {
        cause: error,
      });
    }
  });
}

export async function writeResults(path: string, results: RunResults): Promise<void> {
  await writeFileAtomic(runFiles(path).results, `${JSON.stringify(results, null, 2)}\n`);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
