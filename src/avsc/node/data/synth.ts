// Generates the demonstration data set in a folder, in the layout of TAU Urban Audio-Visual Scenes 2021.

import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DATASET_DEFAULTS, planClips, planTables, type DatasetOptions } from '../../synth/plan.ts';
import { makeFolder, storageError, temporaryName, writeFileAtomic } from '../../../node/files.ts';
import { runJobs, type PoolOptions } from './pool.ts';

/** The file that records the settings and the version of the rules, which is to be increased when they change. */
const MARKER = 'made.json';
const RULES_VERSION = 1;

/**
 * Generates a data set whose ten scenes need sound and picture (rules.ts) in `root`. Does nothing if `root` holds the same set.
 * The same options give the same sound files to the byte, and the same videos if the encoder is the same.
 * The folder gets its name when it is complete. Throws if `root` holds anything else.
 */
export async function makeDataset(
  root: string,
  options: Partial<DatasetOptions> = {},
  pool: PoolOptions = {},
): Promise<{ readonly made: boolean }> {
  const settings = { ...DATASET_DEFAULTS, ...options };
  const { seed, seconds } = settings;
  const clips = planClips(settings);
  const marker = `${JSON.stringify({ ...settings, version: RULES_VERSION })}\n`;
  const present = await readdir(root).catch(() => []);
  if (present.length > 0) {
    if ((await readFile(join(root, MARKER), 'utf8').catch(() => '')) === marker) return { made: false };
    throw new Error(
      `${root} already holds something else than this made data set (${marker.trim()}): ` +
        `choose another folder or remove it`,
    );
  }
  const temporary = temporaryName(root);
  try {
    await makeFolder(temporary);
    const jobs = clips.map((clip) => ({ kind: 'make' as const, root: temporary, clip, seed, seconds }));
    for (const outcome of await runJobs(jobs, pool)) {
      if ('problem' in outcome) throw new Error(`the data set could not be made: ${outcome.problem}`);
    }
    for (const [name, text] of [...planTables(clips), [MARKER, marker] as const]) {
      await writeFileAtomic(join(temporary, name), [new TextEncoder().encode(text)]);
    }
    await rm(root, { recursive: true, force: true });
    await rename(temporary, root).catch((error: unknown) => {
      throw storageError(error, root);
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return { made: true };
}
