// An append-only file of JSON lines. A resumed run truncates it to what its checkpoint knows, or to its last whole line.

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { storageError } from '../../../node/files.ts';

/** The beginning of a file: its length and crc32. */
export interface Written {
  readonly bytes: number;
  readonly sum: number;
}

const NEWLINE = '\n'.charCodeAt(0);

export class LineLog {
  readonly path: string;
  readonly #file: number;
  #bytes: number;
  #sum: number;

  /**
   * Opens or creates the file and truncates it to `written`, or else to its last whole line, because a process that died may have left a
   * part of one. Throws a StorageError if it cannot be written, and an Error if it does not begin with `written`.
   */
  constructor(path: string, written?: Written) {
    this.path = path;
    try {
      this.#file = openSync(path, 'a+');
    } catch (error) {
      throw storageError(error, path);
    }
    try {
      const found = new Uint8Array(fstatSync(this.#file).size);
      readSync(this.#file, found, 0, found.length, 0);
      const bytes = written?.bytes ?? found.lastIndexOf(NEWLINE) + 1;
      const sum = crc32(found.subarray(0, bytes));
      if (found.length < bytes || (written !== undefined && sum !== written.sum))
        throw new Error(
          `${path} was changed since the checkpoint beside it was written: restore it from a copy, or start the run anew with --out`,
        );
      if (found.length > bytes) ftruncateSync(this.#file, bytes);
      [this.#bytes, this.#sum] = [bytes, sum];
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** Length of the file in bytes, and crc32 of these, to give to the constructor on resume. */
  get bytes(): number {
    return this.#bytes;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Appends one line. Throws a StorageError if writing fails; a resumed run truncates an incomplete line. */
  append(record: object): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      for (let at = 0; at < line.length;) at += writeSync(this.#file, line, at);
    } catch (error) {
      throw storageError(error, this.path);
    }
    this.#bytes += line.length;
    this.#sum = crc32(line, this.#sum);
  }

  /** Flushes the file to the disk, so that a checkpoint is never ahead of its log. */
  flush(): void {
    try {
      fsyncSync(this.#file);
    } catch (error) {
      throw storageError(error, this.path);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
