/*
 * Checkpoints that want to do harm or are damaged: hand-made ones and endlessly many mutations of valid ones, the same for
 * the same seed. Each must be read, or refused by one clear sentence, within limits of time and memory.
 */
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import type { CheckpointFormat } from '../../../src/nn/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../../src/nn/checkpoint/open.ts';
import { bytesSource } from '../../../src/nn/checkpoint/source.ts';
import * as hdf5 from './hdf5.ts';
import { complaintAboutMessage, type Outcome } from './outcome.ts';
import type { Random } from './random.ts';
import * as safetensors from './safetensors.ts';
import * as torch from './torch.ts';

interface Generator {
  readonly handmade: readonly (() => Uint8Array)[];
  readonly mutate: (random: Random) => Uint8Array;
}

const GENERATORS: Readonly<Record<CheckpointFormat, Generator>> = {
  safetensors: { handmade: safetensors.HANDMADE, mutate: safetensors.mutate },
  'torch-legacy': { handmade: torch.LEGACY_HANDMADE, mutate: torch.mutateLegacy },
  'torch-zip': { handmade: torch.ZIP_HANDMADE, mutate: torch.mutateZip },
  'keras-hdf5': { handmade: hdf5.HANDMADE, mutate: hdf5.mutate },
};

export const FORMATS = Object.keys(GENERATORS) as readonly CheckpointFormat[];

/** Input `index`: the hand-made ones come first. */
export function hostileInput(format: CheckpointFormat, seed: number, index: number): Uint8Array {
  const { handmade, mutate } = GENERATORS[format];
  return handmade[index]?.() ?? mutate(randomStream(format, seed, index));
}

/** Opens a file and reads every tensor. */
export async function outcomeOf(bytes: Uint8Array): Promise<Outcome> {
  try {
    const { tensors } = await openCheckpoint(bytesSource(bytes));
    for (const tensor of tensors.values()) await tensor.read();
    return { read: true };
  } catch (error) {
    const complaint = complaintAbout(error);
    const text = error instanceof Error ? error.message : String(error);
    return { read: false, error: text, ...(complaint === undefined ? {} : { complaint }) };
  }
}

function complaintAbout(error: unknown): string | undefined {
  if (!(error instanceof Error)) return `no Error but ${typeof error}`;
  // The one RangeError that reading may throw: an integer of the file that the engine cannot hold.
  const expected = error.constructor === Error || /^tensor .* does not fit into 32 bits$/.test(error.message);
  if (!expected) return `a ${error.constructor.name}: ${error.message}`;
  return complaintAboutMessage(error.message);
}
