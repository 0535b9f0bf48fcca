// last.safetensors: all that a training needs to go on as if it had never stopped.

import { readFile } from 'node:fs/promises';
import { readSafetensors, writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import type { HostTensor, StateDict } from '../../../nn/state.ts';
import { STAGES, type Stage } from '../../training/records.ts';
import { errorCode, messageOf, writeFileAtomic } from '../../../node/files.ts';

/** Where a training stands. */
export interface Position {
  readonly stage: Stage;
  /** Epoch under way, from 1; one more than the stage has where the stage is over. */
  readonly epoch: number;
  /** Steps done in it: where the loader goes on. */
  readonly step: number;
  /** Steps done in the whole run: the step of the device's random numbers. */
  readonly totalSteps: number;
  /** Sum of the losses of the epoch's steps. */
  readonly lossSum: number;
  /** Length of metrics.jsonl. */
  readonly recordBytes: number;
}

export interface Checkpoint {
  readonly position: Position;
  /** Weights and statistics of the stage's model; empty where the stage has not begun. */
  readonly model: StateDict;
  readonly optimizer: StateDict;
}

const MODEL = 'model.';
const OPTIMIZER = 'optimizer.';

/** Writes the checkpoint whole or not at all. Throws one sentence when the disk does not take it. */
export async function writeCheckpoint(
  path: string,
  { position, model, optimizer }: Checkpoint,
): Promise<void> {
  const tensors = new Map([...prefixed(MODEL, model), ...prefixed(OPTIMIZER, optimizer)]);
  await writeFileAtomic(path, writeSafetensors(tensors, new Map([['position', JSON.stringify(position)]])));
}

/** Reads a checkpoint; undefined where there is none yet. Throws, naming the file, if it is damaged. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new Error(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    // A plain Uint8Array: a Buffer's slice would share its memory.
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
  const stage = STAGES.find((name) => name === value?.['stage']);
  const counts = (['epoch', 'step', 'totalSteps', 'recordBytes'] as const).map((name) => value?.[name]);
  const lossSum = value?.['lossSum'];
  if (stage === undefined || !counts.every(Number.isSafeInteger) || typeof lossSum !== 'number') {
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
