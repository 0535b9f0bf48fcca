// Runs the rows of a table one after the other, and writes results.json and report.html.

import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Device } from '../../../tensor/device.ts';
import { messageOf, StorageError, writeFileAtomic } from '../../../node/files.ts';
import { resultKey, type Experiment } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { writeExperiment } from '../../experiment/write.ts';
import type { Metrics } from '../../training/metrics.ts';
import type { RunResults } from '../../training/records.ts';
import { renderTableReport } from '../report/table.ts';
import { exists, openRun, runFiles } from '../runs/folder.ts';
import { resumeTraining, startTraining, type StartEvents } from '../training/start.ts';
import { sharedStages } from '../training/shared-stages.ts';
import { atScale, type Scale, type Table, type TableRow } from './table.ts';

interface RowResult {
  readonly id: string;
  readonly label: string;
  /** Accuracy in the paper, in percent; null for a row that the paper does not have. */
  readonly paper: number | null;
  readonly status: 'done' | 'failed' | 'quoted' | 'waiting';
  /** Mean of the classes' accuracies, 0..1; the mean over the seeds, if there are several. */
  readonly accuracy: number | null;
  readonly logLoss: number | null;
  /** Accuracy by each seed. */
  readonly accuracies: readonly number[];
  /** Time of the runs of this row; parts that another row had trained already are not in it. */
  readonly seconds: number | null;
  readonly note: string;
}

/** results.json. */
export interface TableResults {
  readonly table: Table['table'];
  readonly scale: Scale;
  readonly device: string;
  readonly data: string;
  readonly seeds: readonly number[] | null;
  readonly rows: readonly RowResult[];
}

interface ReproduceOptions {
  /** Folder of the data set. */
  readonly data: string;
  /** Folder of the table's runs, results.json and report.html. */
  readonly out: string;
  readonly scale: Scale;
  /** Rows to run; null for all. */
  readonly rows: readonly string[] | null;
  /** Each row is run once by each seed; null for the experiment's own. */
  readonly seeds: readonly number[] | null;
  readonly cache: string;
  readonly weightsFolder: string;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly events: StartEvents;
  onRow?(row: TableRow, index: number, total: number): void;
  onRowEnd?(result: RowResult): void;
}

/**
 * Runs the rows that are not done yet. A row that fails is noted and does not stop the others. The report is written after each row.
 * Throws the signal's reason, a StorageError if the disk is full, and an Error for a row that the table does not have.
 */
export async function reproduceTable(table: Table, options: ReproduceOptions): Promise<TableResults> {
  const { out, data, scale, device, rows: wanted, signal } = options;
  const lost = wanted?.find((id) => !table.rows.some((row) => row.id === id));
  if (lost !== undefined)
    throw new Error(`${table.table} has no row ${lost}: ${table.rows.map(({ id }) => id).join(', ')}`);
  const results = new Map((await previous(out)).map((row) => [row.id, row]));
  const current = (): TableResults => ({
    table: table.table,
    scale,
    device: device.description.name,
    data: resolve(data),
    seeds: options.seeds,
    rows: table.rows.map((row) => results.get(row.id) ?? notRun(row)),
  });
  for (const [i, row] of table.rows.entries()) {
    if (row.experiment === null || (wanted !== null && !wanted.includes(row.id))) continue;
    signal.throwIfAborted();
    options.onRow?.(row, i, table.rows.length);
    const result = await runRow(row, options, results.get(row.id));
    results.set(row.id, result);
    options.onRowEnd?.(result);
    await writeTable(table, current(), out);
  }
  await writeTable(table, current(), out);
  return current();
}

const notRun = ({ id, label, paper, note, experiment }: TableRow): RowResult => ({
  id,
  label,
  paper,
  status: experiment === null ? 'quoted' : 'waiting',
  accuracy: null,
  logLoss: null,
  accuracies: [],
  seconds: null,
  note: note ?? '',
});

const folderOf = (out: string, id: string, seed: number | null): string =>
  join(out, 'rows', seed === null ? id : `${id}-seed-${seed}`);

/** Runs a row by every seed. A failure is the row's result. */
async function runRow(
  row: TableRow,
  options: ReproduceOptions,
  before: RowResult | undefined,
): Promise<RowResult> {
  const notes = new Set(row.note === null ? [] : [row.note]);
  const done: Measured[] = [];
  try {
    for (const seed of options.seeds ?? [null]) done.push(await runSeed(row, seed, options, notes));
  } catch (error) {
    if (options.signal.aborted || error instanceof StorageError) throw error;
    return { ...notRun(row), status: 'failed', note: messageOf(error) };
  }
  // What was done before took its time before, and has its note.
  const kept = before?.status === 'done' && done.every(({ found }) => found) ? before : null;
  const seconds = done.reduce((sum, run) => sum + run.seconds, 0);
  return {
    ...notRun(row),
    status: 'done',
    accuracy: mean(done.map(({ metrics }) => metrics.accuracy.macro)),
    logLoss: mean(done.map(({ metrics }) => metrics.logLoss)),
    accuracies: done.map(({ metrics }) => metrics.accuracy.macro),
    seconds: kept?.seconds ?? seconds,
    note: kept?.note ?? [...notes].join('; '),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

interface Measured {
  readonly metrics: Metrics;
  readonly seconds: number;
  /** Whether the run had ended before. */
  readonly found: boolean;
}

async function runSeed(
  row: TableRow,
  seed: number | null,
  { out, data, scale, cache, weightsFolder, device, signal, events }: ReproduceOptions,
  notes: Set<string>,
): Promise<Measured> {
  if (row.experiment === null) throw new Error('this row is quoted and cannot be run');
  const started = performance.now();
  const path = folderOf(out, row.id, seed);
  const scaled = atScale(row.experiment, scale);
  const experiment = seed === null ? scaled : { ...scaled, seed };
  const metricsIn = (results: RunResults): Metrics => metricsOf(results, resultKey(experiment));
  const old = await finished(path);
  if (old !== undefined) {
    await assertSame(path, experiment);
    return { metrics: metricsIn(old), seconds: 0, found: true };
  }
  const settings = {
    cache,
    openDevice: () => Promise.resolve(device),
    saveEvery: 500,
    signal,
    events: { ...events, onMissing: (sentence: string) => void notes.add(sentence) },
    measure: 'result' as const,
    share: (recipe: Recipe, root: string) =>
      sharedStages(join(out, '..', 'shared'), recipe, root, device.description.name),
  };
  const missing = scale === 'smoke' ? 'random' : 'refuse';
  const unfinished = (await exists(runFiles(path).config)) ? await openRun(path) : undefined;
  if (unfinished !== undefined) await assertSame(path, experiment);
  const { results } = unfinished
    ? await resumeTraining(unfinished, settings)
    : await startTraining(
        { experiment, data, out: path, weights: { folder: weightsFolder, missing } },
        settings,
      );
  return { metrics: metricsIn(results), seconds: (performance.now() - started) / 1000, found: false };
}

function metricsOf(results: RunResults, key: string): Metrics {
  const found = results[key];
  if (found === undefined) throw new Error(`the run has no metrics of ${key}`);
  return found;
}

/** Results of a run that has ended. */
async function finished(path: string): Promise<RunResults | undefined> {
  const text = await readFile(runFiles(path).results, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RunResults);
}

/** Throws if the folder holds a run of another experiment, at another scale for instance. */
async function assertSame(path: string, experiment: Experiment): Promise<void> {
  const { recipe } = (await openRun(path)).config;
  // The validation part was decided by the data.
  const text = (value: Experiment): string => JSON.stringify(writeExperiment({ ...value, validation: null }));
  if (text(recipe) !== text(experiment))
    throw new Error(`${path} holds a run of another experiment or scale: choose another folder with --out`);
}

async function previous(out: string): Promise<readonly RowResult[]> {
  const text = await readFile(join(out, 'results.json'), 'utf8').catch(() => undefined);
  return text === undefined ? [] : (JSON.parse(text) as TableResults).rows;
}

async function writeTable(table: Table, results: TableResults, out: string): Promise<void> {
  await writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  const rows = await Promise.all(
    results.rows.map(async (row) => {
      const file = runFiles(folderOf(out, row.id, results.seeds?.[0] ?? null)).report;
      const { published } = table.rows.find(({ id }) => id === row.id) ?? { published: null };
      return { ...row, published, report: (await exists(file)) ? relative(out, file) : null };
    }),
  );
  const { title, what } = table;
  const { data, device, scale } = results;
  const finishedAt = new Date().toISOString();
  const report = { table: table.table, title, what, data, device, scale, finished: finishedAt, rows };
  await writeFileAtomic(join(out, 'report.html'), await renderTableReport(report));
}
