// Prepares one clip: decodes it into the store, unless the store has it, and makes the inputs that nets want.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { InputName } from '../../features/inputs.ts';
import { errorCode } from '../../../node/files.ts';
import { openClipFile, type ClipFile } from './clip-file.ts';
import type { WatchFile } from './media/open.ts';
import { derivedPath, deriveInput, isDerived, type InputOptions } from './derive.ts';
import { verifyRecords } from './records.ts';

/** The files of a clip and the folder of the store. */
interface ClipFiles {
  readonly audio: string;
  readonly video: string;
  readonly cache: string;
}

/** One clip to prepare. */
export interface PrepareJob extends ClipFiles {
  readonly inputs: readonly InputName[];
  readonly options: InputOptions;
  /** Whether what is there is read in full to verify its checksums. */
  readonly verify: boolean;
}

export interface StoredClip {
  readonly path: string;
  readonly seconds: number;
  /** Files of derived inputs. */
  readonly derived: Readonly<Partial<Record<InputName, string>>>;
  /** True if nothing had to be made. */
  readonly cached: boolean;
}

/** To be increased when the layout of a prepared clip or its decoding changes. */
const CACHE_VERSION = 4;

/**
 * Decodes a clip's sound and frames into the store and derives inputs from it. A damaged file is replaced, a whole one kept.
 * Throws one sentence for a bad clip (not 48 kHz stereo, truncated, unreadable, video shorter than its sound)
 * and a StorageError if the store cannot be written. `watch` is told what is being decoded.
 */
export async function prepareClip(
  { inputs, options, verify, ...files }: PrepareJob,
  watch: WatchFile = () => undefined,
): Promise<StoredClip> {
  const path = await entryPath(files);
  const found = await findClip(path, verify);
  const clip: ClipFile =
    found ?? (await import('./decode-clip.ts').then(({ decodeClip }) => decodeClip(path, files, watch)));
  const { derived, made } = await deriveInputs(clip, inputs, options, verify);
  return { path, seconds: clip.seconds, derived, cached: found !== undefined && !made };
}

/** Makes those inputs of a clip that have files of their own and are not there. */
export async function deriveInputs(
  clip: ClipFile,
  inputs: readonly InputName[],
  options: InputOptions,
  verify: boolean,
): Promise<Pick<StoredClip, 'derived'> & { readonly made: boolean }> {
  const derived: Partial<Record<InputName, string>> = {};
  let made = false;
  for (const input of inputs) {
    if (!isDerived(clip, input, options.size)) continue;
    if (await deriveInput(clip, input, options, verify)) made = true;
    derived[input] = derivedPath(clip.path, input, options);
  }
  return { derived, made };
}

/** The prepared clip, if it is there and whole. */
export async function findClip(path: string, verify: boolean): Promise<ClipFile | undefined> {
  try {
    const clip = await openClipFile(path);
    if (verify) await verifyRecords(clip.records);
    return clip;
  } catch {
    // The entry is absent or damaged, and is made again in both cases.
    return undefined;
  }
}

/**
 * Path of a clip in the store. Its name has a hash of name, size and modification time of both files, so a changed file is decoded again.
 * Throws, naming the file, if one cannot be read.
 */
export async function entryPath({ audio, video, cache }: ClipFiles): Promise<string> {
  const files = await Promise.all([identify(audio), identify(video)]);
  const hash = createHash('sha256').update(JSON.stringify({ version: CACHE_VERSION, files }));
  return join(
    cache,
    `${fileNameOf(basename(audio, extname(audio)))}-${hash.digest('hex').slice(0, 20)}.clip`,
  );
}

/** A clip's name as the beginning of a file's name. */
export const fileNameOf = (name: string): string => name.replaceAll(/[^\w.+-]/g, '_').slice(0, 80);

async function identify(path: string): Promise<{ name: string; size: number; time: number }> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { name: basename(path), size, time: mtimeMs };
  } catch (error) {
    throw new Error(`${path} ${errorCode(error) === 'ENOENT' ? 'does not exist' : 'cannot be read'}`, {
      cause: error,
    });
  }
}
