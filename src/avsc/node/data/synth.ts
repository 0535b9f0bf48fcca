// Makes the demonstration data set in a folder, in the layout of TAU Urban Audio-Visual Scenes 2021.

import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MADE_SET_DEFAULTS, planClips, planTables, type MadeSetOptions } from '../../synth/plan.ts';
import { storageError, temporaryName, writeFileAtomic } from '../../../node/files.ts';
import { runJobs, type PoolOptions } from './pool.ts';

/** The file that says what a made folder was made from; raised with every change of the rules. */
const MARKER = 'made.json';
const RULES_VERSION = 1;

/**
 * Makes a data set whose ten scenes need sound and picture (rules.ts) in `root`; does nothing if the same one is there.
 * The same options give the same sound files to the byte, and the same videos where the encoder is the same.
 * It appears under its name when it is whole. Throws if `root` holds anything else.
 */
export async function makeDataset(
  root: string,
  options: Partial<MadeSetOptions> = {},
  pool: PoolOptions = {},
): Promise<{ readonly made: boolean }> {
  const settings = { ...MADE_SET_DEFAULTS, ...options };
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
    await mkdir(temporary, { recursive: true }).catch((error: unknown) => {
      throw storageError(error, temporary);
    });
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
