// The demonstration data set, which `train` generates if no data set is named.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolOptions } from './pool.ts';
import { makeDataset } from './synth.ts';

/**
 * Generates the demonstration set below `parent`, unless it exists. A set of an older version is replaced.
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
    // Remove only a folder that makeDataset wrote, never one of the user's.
    const marker = await readFile(join(path, 'made.json'), 'utf8').catch(() => undefined);
    if (marker === undefined || options.signal?.aborted) throw error;
    await rm(path, { recursive: true });
    return { path, ...(await makeDataset(path, {}, options)) };
  }
}
