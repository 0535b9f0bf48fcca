// The default folder of decoded clips and of the demonstration data set.

import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../../node/files.ts';
import { cacheFolders } from '../../../node/swiftshader.ts';

/** The first cache folder that is writable, created if needed. Throws an Error if there is none. */
export async function findCacheFolder(): Promise<string> {
  for (const parent of cacheFolders()) {
    const folder = join(parent, 'wavelight');
    try {
      await makeFolder(folder);
      await access(folder, constants.W_OK);
      return folder;
    } catch {
      // Try the next folder.
    }
  }
  throw new Error(`no cache folder can be written (${cacheFolders().join(', ')}): name one with --cache`);
}
