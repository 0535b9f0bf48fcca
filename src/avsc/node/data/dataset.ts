// Reads a data set's folder: the clips of a split, and whether their files exist.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assertDistinct, parseSplit, type Clip } from '../../dataset/clips.ts';
import { SCENES } from '../../dataset/scenes.ts';
import { decodeTable } from '../../dataset/table.ts';
import { errorCode, readSmallFile } from '../../../node/files.ts';
import { FILES_AT_ONCE, mapLimited } from './limit.ts';

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
 * Reads one split of a data set in TAU's layout (audio/, video/, evaluation_setup/); the split 'test' may lack labels, which are
 * names of `scenes`.
 * Throws in one sentence for a missing folder or table, for a table that `parseSplit` refuses and for a file that two rows name
 * differently, and a DatasetError that lists every missing media file at once.
 */
export async function readSplit(
  root: string,
  split: SplitName,
  scenes: readonly string[] = SCENES,
): Promise<Clip[]> {
  await checkFolder(root);
  const { file, text } = await readTable(root, split);
  const listed = parseSplit(text, file, split === 'test' ? 'optional' : 'required', scenes);
  const { clips, missing } = await findFiles(root, listed);
  if (missing.length > 0) {
    throw new DatasetError(
      `${missing.length} of the files that ${file} lists are missing in ${root} (download or unpack them again):`,
      missing,
    );
  }
  assertDistinct(clips);
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
      return { file, text: decodeTable(await readSmallFile(file, MAX_TABLE_BYTES), file) };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  throw new Error(
    `${root} has no ${SPLIT_FILES[split].join(' or ')}, which lists the clips of the split "${split}"; ` +
      `check that it is a data set in the layout of TAU Urban Audio-Visual Scenes 2021`,
  );
}

/** The clips with the identities of their files, and a sentence about each file that is not there. */
async function findFiles(
  root: string,
  clips: readonly Clip[],
): Promise<{ readonly clips: Clip[]; readonly missing: string[] }> {
  const found = await mapLimited(clips, FILES_AT_ONCE, async (clip) => {
    const audio = await identify(root, clip.audio);
    const video = await identify(root, clip.video);
    const absent = [
      ...(audio === undefined ? [clip.audio] : []),
      ...(video === undefined ? [clip.video] : []),
    ].map((path) => `${clip.source.file}, row ${clip.source.line}: ${path} is not there`);
    return { clip: { ...clip, files: { audio: audio ?? clip.audio, video: video ?? clip.video } }, absent };
  });
  return { clips: found.map(({ clip }) => clip), missing: found.flatMap(({ absent }) => absent) };
}

/** Device and inode of a file, which all its links share; undefined if there is no such file. Some file systems have no inodes. */
async function identify(root: string, path: string): Promise<string | undefined> {
  const found = await stat(join(root, path), { bigint: true }).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  return found.ino === 0n ? path : `${found.dev}/${found.ino}`;
}
