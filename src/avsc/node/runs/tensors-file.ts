// The safetensors files of a run: each has a checksum over all of its bytes, and says of which recipe and which part of it it is.

import { crc32 } from 'node:zlib';
import {
  readSafetensors,
  writeSafetensors,
  type Safetensors,
} from '../../../nn/checkpoint/safetensors/file.ts';
import type { StateDict } from '../../../nn/state.ts';
import { openFileSource } from '../../../node/file-source.ts';
import { writeFileAtomic } from '../../../node/files.ts';

/** What a file belongs to. */
export interface Label {
  /** Hash of the recipe, or of what else decided the tensors. */
  readonly recipe: string;
  /** Such as `checkpoint`, `stage audio`. */
  readonly content: string;
}

// The checksum comes first in a header, hence always at the same place. It is over the file with zeros in that place.
const BEFORE = Buffer.from('{"__metadata__":{"crc32":"');
const ZEROS = Buffer.from('00000000');
const HEADER_AT = 8;
const SUM_AT = HEADER_AT + BEFORE.length;
const SUM_END = SUM_AT + ZEROS.length;

/** Writes tensors atomically. Throws a StorageError if writing fails. */
export async function writeTensors(
  path: string,
  { recipe, content }: Label,
  { tensors, metadata }: { readonly tensors: StateDict; readonly metadata?: ReadonlyMap<string, string> },
): Promise<void> {
  const head: [string, string][] = [
    ['crc32', ZEROS.toString()],
    ['recipe', recipe],
    ['content', content],
  ];
  const file = writeSafetensors(tensors, new Map([...head, ...(metadata ?? [])]));
  file.set(Buffer.from(sumOf(file)), SUM_AT);
  await writeFileAtomic(path, file);
}

/**
 * Reads what `writeTensors` wrote, and its metadata. Throws one sentence, naming the file and the way out, if it is missing, damaged or of
 * another recipe or content.
 */
export async function readTensors(path: string, { recipe, content }: Label): Promise<Safetensors> {
  const file = await readWhole(path);
  const refused = (reason: string): Error =>
    new Error(`${path} ${reason}: restore it from a copy, or start the run anew with --out`);
  const hasSum = BEFORE.equals(file.subarray(HEADER_AT, SUM_AT));
  if (!hasSum || sumOf(file) !== Buffer.from(file.subarray(SUM_AT, SUM_END)).toString())
    throw refused(
      `is damaged or was not written by this run (its checksum is ${hasSum ? 'wrong' : 'missing'})`,
    );
  const { tensors, metadata } = readSafetensors(file);
  if (metadata.get('recipe') !== recipe)
    throw refused("is of another run, as config.json's recipe is another one");
  const found = metadata.get('content');
  if (found !== content) throw refused(`holds ${found} instead of ${content}`);
  const own = [...metadata].filter(([key]) => !['crc32', 'recipe', 'content'].includes(key));
  return { tensors, metadata: new Map(own) };
}

async function readWhole(path: string): Promise<Uint8Array> {
  const source = await openFileSource(path);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** crc32 of a file in hex. */
function sumOf(file: Uint8Array): string {
  const sum = crc32(file.subarray(SUM_END), crc32(ZEROS, crc32(file.subarray(0, SUM_AT))));
  return sum.toString(16).padStart(ZEROS.length, '0');
}
