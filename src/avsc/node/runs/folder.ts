// A run's folder: its files, and the search for runs.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { readRecipe, writeRecipe, type Recipe } from '../../experiment/recipe.ts';
import type { RunRecord, RunResults } from '../../training/records.ts';
import { errorCode, makeFolder, messageOf, storageError, writeFileAtomic } from '../../../node/files.ts';
import { writeTensors, type Label } from './tensors-file.ts';

/** Default parent folder of runs. */
const RUNS = 'runs';

/** To be increased when config.json changes. */
const VERSION = 3;

/** Contents of config.json: the data set and the recipe of a run. */
interface RunConfig {
  readonly version: typeof VERSION;
  /** Absolute path of the data set's folder. */
  readonly data: string;
  /** Hash of the recipe, in hex. All tensors of the run name it. */
  readonly recipeSha256: string;
  readonly recipe: Recipe;
}

export interface RunFolder {
  readonly path: string;
  readonly config: RunConfig;
}

/** Paths of a run's files. */
export const runFiles = (path: string) => ({
  config: join(path, 'config.json'),
  /** One line per step and epoch. */
  records: join(path, 'metrics.jsonl'),
  /** Seconds per epoch and the device, which differ between equal runs. */
  timings: join(path, 'timings.jsonl'),
  /** Metrics of the models on the evaluation split. */
  results: join(path, 'metrics.json'),
  /** Given weights of a net's extractor, as imported, so that a run does not need their file again. */
  given: (net: string): string => join(path, `given-${net}.safetensors`),
  /** Embeddings by extractors that this run trained and then froze. */
  embeddings: join(path, 'embeddings'),
  /** Choices of kernels that the run began with, if any were measured. */
  tuned: join(path, 'tuned.json'),
  /** Weights, optimiser state and counters, from which a killed run resumes. */
  checkpoint: join(path, 'last.safetensors'),
  report: join(path, 'report.html'),
});

/** File of a stage's final weights: model.safetensors if they are the run's result. */
export function weightsFile({ path, config }: RunFolder, stage: string): string {
  return join(path, config.recipe.result === stage ? 'model.safetensors' : `${stage}.safetensors`);
}

/** Labels of a run's files of tensors. */
export const labels = ({ config: { recipeSha256: recipe } }: Pick<RunFolder, 'config'>) => ({
  checkpoint: { recipe, content: 'checkpoint' },
  stage: (id: string): Label => ({ recipe, content: `stage ${id}` }),
  given: (net: string): Label => ({ recipe, content: `given ${net}` }),
});

/** Creates the folder, the given weights in it and config.json. Throws if the folder already holds a run. */
export async function createRun(
  path: string,
  { data, recipe }: Pick<RunConfig, 'data' | 'recipe'>,
  given: ReadonlyMap<string, StateDict> = new Map(),
): Promise<RunFolder> {
  const files = runFiles(path);
  await assertNoRun(path);
  const written = writeRecipe(recipe);
  const head = { version: VERSION, data, recipeSha256: sha256Of(written) } as const;
  const folder = { path, config: { ...head, recipe } };
  for (const [net, tensors] of given)
    await writeTensors(files.given(net), labels(folder).given(net), { tensors });
  // config.json is written last, because a folder with it counts as a run.
  await writeFileAtomic(files.config, `${JSON.stringify({ ...head, recipe: written }, null, 2)}\n`);
  return folder;
}

/** Throws if the folder already holds a run. */
export async function assertNoRun(path: string): Promise<void> {
  if (!(await exists(runFiles(path).config))) return;
  throw new Error(
    `${path} already holds a run: choose another folder with --out, or go on with it by --resume`,
  );
}

/** Opens a run. Throws, naming the file, if there is none or its config.json is not valid. */
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
    const { version, data, recipeSha256, recipe } = JSON.parse(text) as Record<string, unknown>;
    if (version === 2) throw new Error('its version is 2, whose files have no checksums: train the run anew');
    if (version !== VERSION)
      throw new Error(`version is ${JSON.stringify(version)}, this program reads ${VERSION}`);
    if (typeof data !== 'string') throw new Error('data is missing');
    const read = readRecipe(recipe);
    if (recipeSha256 !== sha256Of(recipe))
      throw new Error(
        'its recipe was changed since the run began: restore it, or train the changed one as a new run by --config and --out',
      );
    return { path, config: { version: VERSION, data, recipeSha256, recipe: read } };
  } catch (error) {
    throw new Error(`${file} is not a run's configuration: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * SHA-256 of a recipe as config.json has it, in hex. It depends neither on white space nor on where files of weights lie, whose own hashes
 * are in the recipe; so equal trainings write equal bytes.
 */
function sha256Of(recipe: unknown): string {
  const isPath = (key: string, value: unknown): boolean =>
    key === 'file' || (key === 'weights' && typeof value === 'string');
  const text = JSON.stringify(recipe, (key, value: unknown) => (isPath(key, value) ? undefined : value));
  return createHash('sha256').update(text).digest('hex');
}

/** Removes what processes left that died while they wrote a file of the run. The caller has the run's lock. */
export async function removeTemporaries(path: string): Promise<void> {
  for (const name of await readdir(path, { recursive: true })) {
    // A submission file may be one that eval is writing now.
    if (name.endsWith('.tmp') && !name.startsWith('submission-')) await rm(join(path, name), { force: true });
  }
}

/** The run under `parent` that finished last. Throws if there is none. */
export async function newestRun(parent = RUNS): Promise<RunFolder> {
  const newest = await newestWith(parent, (path) => runFiles(path).results);
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

/** The folder in `parent` whose file `has` is the newest, among folders without a file `lacks`. */
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

/** Creates a folder for a new run: `name` with the first free number under `parent`. Two processes never get the same one. */
export async function makeRunPath(name: string, parent = RUNS): Promise<string> {
  for (let number = 1; ; number++) {
    const path = join(parent, `${name}-${number}`);
    try {
      await makeFolder(parent);
      await mkdir(path);
      return path;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw storageError(error, path);
    }
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
