// An append-only file of JSON lines. A resumed run truncates it to the length in its checkpoint.

import { closeSync, fsyncSync, ftruncateSync, fstatSync, openSync, writeSync } from 'node:fs';
import { storageError } from '../../../node/files.ts';

export class LineLog {
  readonly path: string;
  readonly #file: number;
  #bytes: number;

  /**
   * Opens or creates the file and truncates it to `bytes` bytes (default: its length). Throws a StorageError if it cannot be
   * written, and an Error if it is shorter than `bytes`.
   */
  constructor(path: string, bytes?: number) {
    this.path = path;
    let file: number;
    try {
      file = openSync(path, 'a');
    } catch (error) {
      throw storageError(error, path);
    }
    const found = fstatSync(file).size;
    if (bytes !== undefined && found < bytes) {
      closeSync(file);
      throw new Error(
        `${path} has ${found} bytes, its checkpoint says ${bytes}: it was changed, start the run anew`,
      );
    }
    if (bytes !== undefined) ftruncateSync(file, bytes);
    this.#file = file;
    this.#bytes = bytes ?? found;
  }

  /** Length of the file, to give to the constructor on resume. */
  get bytes(): number {
    return this.#bytes;
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
