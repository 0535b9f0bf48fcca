// A file of JSON lines that grows while a run goes on, and that a resumed run cuts back to its checkpoint.

import { closeSync, fsyncSync, ftruncateSync, fstatSync, openSync, writeSync } from 'node:fs';
import { storageError } from '../../../node/files.ts';

export class LineLog {
  readonly path: string;
  readonly #file: number;
  #bytes: number;

  /**
   * Opens or makes the file and keeps its first `bytes` bytes (all by default). Throws a StorageError if it cannot be
   * written, and an Error if it is shorter than that.
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

  /** Length of what was written, to give to the constructor on resume. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds one line. Throws a StorageError if the disk does not take it; a resumed run cuts off what was begun. */
  append(record: object): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      for (let at = 0; at < line.length;) at += writeSync(this.#file, line, at);
    } catch (error) {
      throw storageError(error, this.path);
    }
    this.#bytes += line.length;
  }

  /** Waits until the disk has everything, so that a checkpoint never is ahead of its log. */
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
