// A table of the paper as a file: its rows, the paper's numbers, and the experiment of each row.

import { join } from 'node:path';
import type { Experiment } from '../../experiment/experiment.ts';
import { list, number, object, oneOf, optional, text, within, type Reader } from '../../experiment/fields.ts';
import { messageOf } from '../../../node/files.ts';
import { EXPERIMENTS, parseExperiment, readJson } from '../experiments/files.ts';

export const TABLES = ['table1', 'table2', 'table3', 'table4'] as const;
export type TableName = (typeof TABLES)[number];

export const SCALES = ['smoke', 'full'] as const;
export type Scale = (typeof SCALES)[number];

export interface TableRow {
  readonly id: string;
  readonly label: string;
  /** Accuracy in the paper, in percent; null for a row that the paper does not have. */
  readonly paper: number | null;
  /** How the system is known: published in full, reconstructed from what is public, or by its result alone. */
  readonly published: 'published' | 'reconstructed' | 'quoted';
  readonly note: string | null;
  /** Null for a row that is quoted and not run. */
  readonly experiment: Experiment | null;
}

export interface Table {
  readonly table: string;
  readonly title: string;
  readonly what: string;
  readonly rows: readonly TableRow[];
}

/** Reads a table of experiments/tables. Throws an Error of one sentence that names the file and the field at fault. */
export async function loadTable(name: string): Promise<Table> {
  const file = join(EXPERIMENTS, 'tables', `${name}.json`);
  const value = await readJson(file);
  let fields: Readonly<Record<string, unknown>>;
  let rows: readonly RawRow[];
  try {
    fields = object(value, 'the table', ['table', 'title', 'what', 'rows']);
    rows = list(readRow)(fields['rows'], 'rows');
  } catch (error) {
    throw new Error(`${file}: ${messageOf(error)}`, { cause: error });
  }
  return {
    table: name,
    title: text(fields['title'], 'title'),
    what: text(fields['what'], 'what'),
    rows: await Promise.all(
      rows.map(async ({ experiment, ...row }) => ({
        ...row,
        experiment: experiment === null ? null : await parseExperiment(experiment, file),
      })),
    ),
  };
}

type RawRow = Omit<TableRow, 'experiment'> & { readonly experiment: unknown };

const readRow: Reader<RawRow> = (value, name) => {
  const row = object(value, name, ['id', 'label', 'paper', 'published', 'note', 'experiment']);
  return {
    id: text(row['id'], within(name, 'id')),
    label: text(row['label'], within(name, 'label')),
    paper: optional(number({ min: 0, max: 100 }))(row['paper'], within(name, 'paper')),
    published: oneOf(['published', 'reconstructed', 'quoted'])(row['published'], within(name, 'published')),
    note: optional(text)(row['note'], within(name, 'note')),
    experiment: row['experiment'] ?? null,
  };
};

/** Smoke: the same nets, stages and augmentation on small pictures, with few steps and few samples. Its accuracy means nothing. */
const SMOKE = { imageSize: 64, batchSize: 4, stepsPerEpoch: 2, evaluationSamples: 16 } as const;

/** An experiment at a scale. */
export function atScale(experiment: Experiment, scale: Scale): Experiment {
  switch (scale) {
    case 'full':
      return experiment;
    case 'smoke': {
      const { imageSize, batchSize, ...limits } = SMOKE;
      const stages = experiment.stages.map((stage) => ({ ...stage, epochs: 1 }));
      return { ...experiment, imageSize, batchSize, stages, limits, validation: 0 };
    }
  }
}
