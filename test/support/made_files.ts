// What is wrong with the files that trainings and preparations made: half-written, damaged, or none of theirs.

import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { openClipFile } from '../../src/avsc/node/data/clip-file.ts';
import { hasEmbeddings } from '../../src/avsc/node/data/embedding-file.ts';
import { openRecords, verifyRecords } from '../../src/avsc/node/data/records.ts';
import { readCheckpoint } from '../../src/avsc/node/runs/checkpoint.ts';
import { labels, openRun, weightsFile } from '../../src/avsc/node/runs/folder.ts';
import { readTensors } from '../../src/avsc/node/runs/tensors-file.ts';
import { messageOf } from '../../src/node/files.ts';

/** The files below a folder, in the order of their names. */
export async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
}

/** One sentence for each file that is not whole. Temporary files and locks may be there. */
export async function problemsOf(folder: string): Promise<string[]> {
  const problems: string[] = [];
  for (const name of await filesIn(folder)) {
    if (name.endsWith('.tmp') || /^\.lock-\d+$/.test(basename(name))) continue;
    try {
      await check(join(folder, name));
    } catch (error) {
      problems.push(`${name}: ${messageOf(error)}`);
    }
  }
  return problems;
}

/** Throws if a file is not whole. */
async function check(path: string): Promise<void> {
  switch (extname(path)) {
    case '.clip':
      return verifyRecords((await openClipFile(path)).records);
    case '.input':
      return verifyRecords(await openRecords(path, 'WLINPUT1'));
    case '.embeddings': {
      const header = (await readFile(path)).subarray(0, 20);
      if (await hasEmbeddings(path, header.readUInt32LE(8), header.readUInt32LE(12))) return;
      throw new Error('its checksum is wrong');
    }
    case '.safetensors':
      return checkTensors(path);
    case '.jsonl': {
      // The last line may be a part of one, which the next start removes.
      const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
      for (const line of lines) JSON.parse(line);
      return;
    }
    case '.json':
      JSON.parse(await readFile(path, 'utf8'));
      return;
    case '.html':
      if (/<\/html>\s*$/.test(await readFile(path, 'utf8'))) return;
      throw new Error('it is cut');
    default:
      throw new Error('it should not be there');
  }
}

async function checkTensors(path: string): Promise<void> {
  const run = await openRun(dirname(path));
  if (basename(path) === 'last.safetensors') {
    await readCheckpoint(run);
    return;
  }
  const stage = run.config.recipe.stages.find(({ id }) => weightsFile(run, id) === path);
  if (stage === undefined) throw new Error('it is of no stage');
  await readTensors(path, labels(run).stage(stage.id));
}
