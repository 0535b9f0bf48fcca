// The data set that `train` makes when it is given none.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolOptions } from './pool.ts';
import { makeDataset } from './synth.ts';

/**
 * Makes the demonstration set below `parent`, or finds it there; one that an older version made is replaced.
 * Throws as `makeDataset` does.
 */
export async function makeDemoDataset(
  parent: string,
  options: Pick<PoolOptions, 'signal' | 'onProgress'>,
): Promise<{ readonly path: string; readonly made: boolean }> {
  const path = join(parent, 'scenes');
  try {
    return { path, ...(await makeDataset(path, {}, options)) };
  } catch (error) {
    // Only what makeDataset made is removed, never a folder that the user put there.
    const marker = await readFile(join(path, 'made.json'), 'utf8').catch(() => undefined);
    if (marker === undefined || options.signal?.aborted) throw error;
    await rm(path, { recursive: true });
    return { path, ...(await makeDataset(path, {}, options)) };
  }
}
