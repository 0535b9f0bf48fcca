import { open, type FileHandle } from 'node:fs/promises';
import { checkRange, type ByteSource } from '../nn/checkpoint/source.ts';
import { checkFile, readError } from './files.ts';

/** Random access to a file on disk. `close` it when its tensors have been read. */
export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** Longest single read; Linux allows 2 GiB - 1. */
const LONGEST_READ = 2 ** 30;

/** Opens a regular file or a link to one. Throws an Error of one sentence that names the path and says what it is instead. */
export async function openFileSource(path: string): Promise<FileSource> {
  const found = await checkFile(path);
  const file = await open(path).catch((error: unknown) => Promise.reject(readError(error, path)));
  return {
    size: found.size,
    read: async (begin, end) => {
      checkRange(begin, end, found.size);
      const bytes = new Uint8Array(end - begin);
      await fill(file, bytes, begin, path);
      return bytes;
    },
    close: () => file.close(),
  };
}

/** Reads until `bytes` is full, because a single read may return less. */
async function fill(file: FileHandle, bytes: Uint8Array, begin: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(LONGEST_READ, bytes.length - done);
    const { bytesRead } = await file
      .read(bytes, done, length, begin + done)
      .catch((error: unknown) => Promise.reject(readError(error, path)));
    if (bytesRead === 0)
      throw new Error(`${path} ended at byte ${begin + done}: it was cut short while it was read`);
    done += bytesRead;
  }
}
