// Where an input of a clip is read from: a file of its own, or the prepared clip.

import { open, type FileHandle } from 'node:fs/promises';
import type { InputName } from '../../features/inputs.ts';
import { openClipFile, PICTURES_PART, SOUND_PART, type ClipFile } from './clip-file.ts';
import { isDerived, openDerived } from './derive.ts';
import { framesOf } from '../../features/frames.ts';
import { Limit } from './limit.ts';
import type { PreparedClip } from './prepare.ts';
import { readPart, type RecordFile } from './records.ts';
import { decodeSamples } from './samples.ts';

export interface InputSource {
  readonly file: RecordFile;
  readonly part: number;
  /** Makes the input of the part's bytes; null if these are the input. */
  readonly convert: ((bytes: Uint8Array, out: Uint8Array) => void) | null;
}

/** Path of the file that an input of a clip comes from, which tells its values: the same file gives the same input. */
export function sourcePath(clip: PreparedClip, input: InputName): string {
  return clip.derived?.[input] ?? (input === 'frames' ? (clip.pictures ?? clip.path) : clip.path);
}

/**
 * Opens the source of an input, frames at `size`. Throws, naming the file, if it is missing or damaged, or if the clip was not prepared
 * for this input.
 */
export async function openInput(clip: PreparedClip, input: InputName, size: number): Promise<InputSource> {
  const path = sourcePath(clip, input);
  if (clip.derived?.[input] !== undefined) {
    return { file: await openDerived(path, input, clip.seconds, size), part: 0, convert: null };
  }
  const stored = await openClipFile(path);
  if (isDerived(stored, input, size)) {
    const what = input === 'frames' ? `frames of ${size} pixels` : input;
    throw new Error(`${clip.name} was not prepared for ${what}, which is made of ${path} beforehand`);
  }
  if (stored.seconds !== clip.seconds)
    throw new Error(`${path} has ${stored.seconds} seconds, ${clip.name} has ${clip.seconds}`);
  return { file: stored.records, part: partOf(input), convert: converter(stored, input, size) };
}

const partOf = (input: InputName): number => (input === 'frames' ? PICTURES_PART : SOUND_PART);

function converter(
  { format, height, width }: ClipFile,
  input: InputName,
  size: number,
): NonNullable<InputSource['convert']> {
  if (input === 'frames') return (bytes, out) => framesOf({ height, width, data: bytes }, size, out);
  return (bytes, out) =>
    decodeSamples(bytes, format, new Float32Array(out.buffer, out.byteOffset, out.byteLength / 4));
}

/** Files that stay open for the next sample of the same clip. */
const OPEN_FILES = 256;
const READS_AT_ONCE = 32;

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/** Reads inputs of samples from files that it keeps open, the last used ones. */
export class InputReader {
  /** In the order of their last use. */
  readonly #files = new Map<string, OpenFile>();
  readonly #limit = new Limit(READS_AT_ONCE);
  /** Buffers for parts that are converted, by their size. */
  readonly #spare = new Map<number, Uint8Array[]>();

  /** Reads the input of one second into `out`, which has its bytes. Throws, naming the file, if it is damaged. */
  async read({ file, part, convert }: InputSource, second: number, out: Uint8Array): Promise<void> {
    await this.#limit.run(() =>
      this.#use(file.path, async (handle) => {
        if (convert === null) return readPart(handle, file, second, part, out);
        const size = file.parts[part] ?? 0;
        const spare = this.#spare.get(size) ?? [];
        this.#spare.set(size, spare);
        const bytes = spare.pop() ?? new Uint8Array(size);
        try {
          await readPart(handle, file, second, part, bytes);
          convert(bytes, out);
        } finally {
          spare.push(bytes);
        }
      }),
    );
  }

  /** Closes all files. No read may be under way. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const { handle } of files) await (await handle).close();
  }

  async #use<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const file = this.#files.get(path) ?? this.#open(path);
    this.#files.delete(path);
    this.#files.set(path, file);
    file.users += 1;
    try {
      return await work(await file.handle);
    } finally {
      file.users -= 1;
      await this.#trim();
    }
  }

  #open(path: string): OpenFile {
    const handle = open(path);
    handle.catch(() => this.#files.delete(path));
    return { handle, users: 0 };
  }

  /** Closes the files whose last use is the longest ago. */
  async #trim(): Promise<void> {
    for (const [path, { handle, users }] of this.#files) {
      if (this.#files.size <= OPEN_FILES) return;
      if (users > 0) continue;
      this.#files.delete(path);
      await (await handle).close();
    }
  }
}
