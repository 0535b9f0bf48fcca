import { fileURLToPath } from 'node:url';
import { setPathOpener } from '../nn/checkpoint/paths.ts';
import type { ByteSource } from '../nn/checkpoint/source.ts';
import { openFileSource } from './file-source.ts';
import { checkFile } from './files.ts';

/** Lets `openCheckpoint` open paths and file: URLs. */
export const openPathsInCheckpoints = (): void => setPathOpener(openPathSource);

/**
 * A file by its path or file: URL, which is open only while it is read, so that nobody has to close it. Throws an Error of one sentence
 * that names the path, when opened or when read: also if the file is another one by then.
 */
async function openPathSource(given: string | URL): Promise<ByteSource> {
  const path = given instanceof URL || given.startsWith('file:') ? fileURLToPath(given) : given;
  const found = await checkFile(path);
  const source = await openFileSource(path);
  await source.close();
  return {
    size: found.size,
    read: async (begin, end) => {
      const { size, mtimeMs } = await checkFile(path);
      if (size !== found.size || mtimeMs !== found.mtimeMs)
        throw new Error(`${path} changed while it was read: open it again`);
      const opened = await openFileSource(path);
      try {
        return await opened.read(begin, end);
      } finally {
        await opened.close();
      }
    },
  };
}
