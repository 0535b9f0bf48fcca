// Where decoded clips and the made data set are kept unless the user says otherwise.

import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolders } from '../../../node/swiftshader.ts';

/** The first folder for caches that can be written, made if needed. Throws an Error if there is none. */
export async function findCacheFolder(): Promise<string> {
  for (const parent of cacheFolders()) {
    const folder = join(parent, 'wavelight');
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
      return folder;
    } catch {
      // The next one may do.
    }
  }
  throw new Error(`no cache folder can be written (${cacheFolders().join(', ')}): name one with --cache`);
}
