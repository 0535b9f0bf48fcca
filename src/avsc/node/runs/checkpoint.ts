// last.safetensors: the state from which a training resumes to the same bits.

import { readFile } from 'node:fs/promises';
import { readSafetensors, writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import type { HostTensor, StateDict } from '../../../nn/state.ts';
import { errorCode, messageOf, writeFileAtomic } from '../../../node/files.ts';

/** Progress of a training. */
export interface Position {
  /** Id of the stage. */
  readonly stage: string;
  /** Current epoch, from 1. After the stage's last epoch it is the number of epochs plus 1. */
  readonly epoch: number;
  /** Finished steps of the epoch, where the loader resumes. */
  readonly step: number;
  /** Finished steps of the stage, which key the device's random numbers. */
  readonly totalSteps: number;
  /** Sum of the losses of the epoch's finished steps. */
  readonly lossSum: number;
  /** Length of metrics.jsonl in bytes. */
  readonly recordBytes: number;
}

export interface Checkpoint {
  readonly position: Position;
  /** Weights and statistics of the stage's model; empty before the stage begins. */
  readonly model: StateDict;
  readonly optimizer: StateDict;
}

const MODEL = 'model.';
const OPTIMIZER = 'optimizer.';

/** Writes the checkpoint atomically. Throws one sentence if writing fails. */
export async function writeCheckpoint(
  path: string,
  { position, model, optimizer }: Checkpoint,
): Promise<void> {
  const tensors = new Map([...prefixed(MODEL, model), ...prefixed(OPTIMIZER, optimizer)]);
  await writeFileAtomic(path, writeSafetensors(tensors, new Map([['position', JSON.stringify(position)]])));
}

/** Reads a checkpoint; undefined if there is none yet. Throws, naming the file, if it is damaged. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new Error(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    // A copy as Uint8Array, because slices of a Buffer share its memory.
    const { metadata, tensors } = readSafetensors(new Uint8Array(file));
    return {
      position: parsePosition(metadata.get('position') ?? 'null'),
      model: without(MODEL, tensors),
      optimizer: without(OPTIMIZER, tensors),
    };
  } catch (error) {
    throw new Error(`${path} is not a checkpoint to resume from: ${messageOf(error)}`, { cause: error });
  }
}

function parsePosition(text: string): Position {
  const value = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
  const stage = value?.['stage'];
  const counts = (['epoch', 'step', 'totalSteps', 'recordBytes'] as const).map((name) => value?.[name]);
  const lossSum = value?.['lossSum'];
  if (typeof stage !== 'string' || !counts.every(Number.isSafeInteger) || typeof lossSum !== 'number') {
    throw new Error('its position is missing or not one of ours');
  }
  const [epoch = 0, step = 0, totalSteps = 0, recordBytes = 0] = counts as number[];
  return { stage, epoch, step, totalSteps, recordBytes, lossSum };
}

function prefixed(prefix: string, dict: StateDict): [string, HostTensor][] {
  return [...dict].map(([name, tensor]) => [prefix + name, tensor]);
}

function without(prefix: string, dict: StateDict): Map<string, HostTensor> {
  const entries = [...dict].filter(([name]) => name.startsWith(prefix));
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
