// Inputs of single samples, for reports.

import type { InputName } from '../../features/inputs.ts';
import { inputBytes } from '../data/derive.ts';
import { InputReader, openInput } from '../data/input-source.ts';
import type { PreparedClip } from '../data/prepare.ts';

/** Bytes of an input of one second of a clip; frames at `size`. Throws as `openInput` does. */
export async function readInput(
  clip: PreparedClip,
  input: InputName,
  second: number,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(inputBytes(input, size));
  const reader = new InputReader();
  try {
    await reader.read(await openInput(clip, input, size), second, out);
  } finally {
    await reader.close();
  }
  return out;
}
