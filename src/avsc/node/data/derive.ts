// Inputs of nets that are made of a prepared clip, once, each into a record file beside it: log-mel, OpenL3's spectrogram, frames.

import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { SOUND_INPUTS, type InputName } from '../../features/inputs.ts';
import { framesOf, isSquashed } from '../../features/frames.ts';
import type { Scaling } from '../../features/logmel.ts';
import { soundInput } from '../../features/sound.ts';
import { elementCount } from '../../../tensor/graph/shape.ts';
import { readPictures, readSounds, type ClipFile } from './clip-file.ts';
import {
  fileBytes,
  frameBytes,
  openRecords,
  verifyRecords,
  writeRecords,
  type RecordFile,
} from './records.ts';

/** Options that decide the values of derived inputs. */
export interface InputOptions {
  /** Side of frames in pixels. */
  readonly size: number;
  /** Range by which log-mel features are scaled: of each second or of the whole clip. */
  readonly scaling: Scaling;
}

const INPUT_MAGIC = 'WLINPUT1';

/** To be increased when the computation of an input changes. */
const VERSIONS: Readonly<Record<InputName, number>> = { logmel: 1, openl3: 1, waveform: 1, frames: 1 };
const CODES: Readonly<Record<InputName, number>> = { logmel: 1, openl3: 2, waveform: 3, frames: 4 };

/** Bytes of an input of one second. */
export function inputBytes(input: InputName, size: number): number {
  return input === 'frames' ? frameBytes(size) : 4 * elementCount(SOUND_INPUTS[input]);
}

/** Whether an input of a clip has a file of its own, or is read from the clip: waveforms, and frames whose pictures are squashed already. */
export function isDerived(clip: Pick<ClipFile, 'width' | 'height'>, input: InputName, size: number): boolean {
  switch (input) {
    case 'logmel':
    case 'openl3':
      return true;
    case 'waveform':
      return false;
    case 'frames':
      return !isSquashed(clip, size);
  }
}

/** Path of a derived input: the clip's own, with a hash of its name, the input and the options that matter to it. */
export function derivedPath(clip: string, input: InputName, { size, scaling }: InputOptions): string {
  const name = basename(clip, '.clip');
  const options = input === 'frames' ? { size } : input === 'logmel' ? { scaling } : {};
  const key = JSON.stringify({ name, input, version: VERSIONS[input], ...options });
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return join(dirname(clip), `${name}.${input}-${hash}.input`);
}

/** Bytes of a derived input's file. */
export function derivedBytes(seconds: number, input: InputName, size: number): number {
  return fileBytes(seconds, [inputBytes(input, size)]);
}

/**
 * Opens a derived input. Throws, naming the file, if it is missing, damaged, or not this input of so many seconds and frames of this size.
 */
export async function openDerived(
  path: string,
  input: InputName,
  seconds: number,
  size: number,
): Promise<RecordFile> {
  const file = await openRecords(path, INPUT_MAGIC);
  const [code] = file.tags;
  if (code === CODES[input] && file.records === seconds && file.parts[0] === inputBytes(input, size))
    return file;
  throw new Error(
    `${path} does not hold ${input === 'frames' ? `frames of ${size} pixels` : input} of ${seconds} s: ` +
      'run "wavelight prepare" again to remake it',
  );
}

/**
 * Makes an input of a clip, unless its file is there and whole; `verify` reads it in full. Returns true if it was made.
 * Throws a StorageError if it cannot be written.
 */
export async function deriveInput(
  clip: ClipFile,
  input: InputName,
  options: InputOptions,
  verify: boolean,
): Promise<boolean> {
  const path = derivedPath(clip.path, input, options);
  try {
    const found = await openDerived(path, input, clip.seconds, options.size);
    if (verify) await verifyRecords(found);
    return false;
  } catch {
    // The file is absent or damaged, and is made again in both cases.
  }
  const bytes = inputBytes(input, options.size);
  const values = await compute(clip, input, options);
  const records = Array.from({ length: clip.seconds }, (_, i) => [
    values.subarray(i * bytes, (i + 1) * bytes),
  ]);
  const tags = [CODES[input], options.size, 0, 0] as const;
  await writeRecords(path, { magic: INPUT_MAGIC, tags, parts: [bytes] }, records);
  return true;
}

async function compute(
  clip: ClipFile,
  input: InputName,
  { size, scaling }: InputOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (input === 'frames') {
    const { height, width, seconds } = clip;
    const out = new Uint8Array(seconds * inputBytes(input, size));
    framesOf({ height, width, data: await readPictures(clip) }, size, out);
    return out;
  }
  return new Uint8Array(soundInput(await readSounds(clip), input, scaling).buffer);
}
