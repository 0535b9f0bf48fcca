// Reads a data set's folder: the clips of a split, and whether their files exist.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSplit, type Clip } from '../../dataset/clips.ts';
import { errorCode, readSmallFile } from '../../../node/files.ts';

type SplitName = 'train' | 'evaluate' | 'test';

/** Tables of a split, of which the first that exists is read. The short names are for data sets without folds. */
const SPLIT_FILES: Record<SplitName, readonly string[]> = {
  train: ['evaluation_setup/fold1_train.csv', 'evaluation_setup/train.csv'],
  evaluate: ['evaluation_setup/fold1_evaluate.csv', 'evaluation_setup/evaluate.csv'],
  test: ['evaluation_setup/fold1_test.csv', 'evaluation_setup/test.csv'],
};

const MAX_TABLE_BYTES = 64 * 2 ** 20;
const LISTED = 20;

/** Errors in a data set. Each problem names file and row. */
export class DatasetError extends Error {
  override readonly name = 'DatasetError';
  readonly problems: readonly string[];

  constructor(what: string, problems: readonly string[]) {
    const rest = problems.length - LISTED;
    super([what, ...problems.slice(0, LISTED), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n  '));
    this.problems = problems;
  }
}

/**
 * Reads one split of a data set in TAU's layout (audio/, video/, evaluation_setup/); the split 'test' may lack labels.
 * Throws in one sentence for a missing folder or table and for a table that `parseSplit` refuses,
 * and a DatasetError that lists every missing media file at once.
 */
export async function readSplit(root: string, split: SplitName): Promise<Clip[]> {
  await checkFolder(root);
  const { file, text } = await readTable(root, split);
  const clips = parseSplit(text, file, split === 'test' ? 'optional' : 'required');
  const missing = await findMissing(root, clips);
  if (missing.length > 0) {
    throw new DatasetError(
      `${missing.length} of the files that ${file} lists are missing in ${root} (download or unpack them again):`,
      missing,
    );
  }
  return clips;
}

async function checkFolder(root: string): Promise<void> {
  const found = await stat(root).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new Error(
      `the data set's folder ${root} ${found ? 'is not a folder' : 'does not exist'}; ` +
        `give the folder that holds audio/, video/ and evaluation_setup/`,
    );
  }
}

async function readTable(root: string, split: SplitName): Promise<{ file: string; text: string }> {
  for (const name of SPLIT_FILES[split]) {
    const file = join(root, name);
    try {
      return { file, text: (await readSmallFile(file, MAX_TABLE_BYTES)).toString() };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  throw new Error(
    `${root} has no ${SPLIT_FILES[split].join(' or ')}, which lists the clips of the split "${split}"; ` +
      `check that it is a data set in the layout of TAU Urban Audio-Visual Scenes 2021`,
  );
}

async function findMissing(root: string, clips: readonly Clip[]): Promise<string[]> {
  const missing: string[] = [];
  for (const { audio, video, source } of clips) {
    for (const path of [audio, video]) {
      const found = await stat(join(root, path)).catch(() => undefined);
      if (!found?.isFile()) missing.push(`${source.file}, row ${source.line}: ${path} is not there`);
    }
  }
  return missing;
}
