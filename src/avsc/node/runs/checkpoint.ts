// last.safetensors: the state from which a training resumes to the same bits.

import type { HostTensor, StateDict } from '../../../nn/state.ts';
import type { LossScaleState } from '../../../tensor/graph/loss_scale.ts';
import { messageOf } from '../../../node/files.ts';
import { exists, labels, runFiles, type RunFolder } from './folder.ts';
import { readTensors, writeTensors } from './tensors-file.ts';

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
  /** Length of metrics.jsonl in bytes, and crc32 of these. */
  readonly recordBytes: number;
  readonly recordSum: number;
}

export interface Checkpoint {
  readonly position: Position;
  /** Weights and statistics of the stage's model; empty before the stage begins. */
  readonly model: StateDict;
  readonly optimizer: StateDict;
  /** Null for precision f32. */
  readonly lossScale: LossScaleState | null;
}

const MODEL = 'model.';
const OPTIMIZER = 'optimizer.';

/** Writes the checkpoint of a run atomically. Throws one sentence if writing fails. */
export async function writeCheckpoint(
  folder: RunFolder,
  { position, model, optimizer, lossScale }: Checkpoint,
): Promise<void> {
  const tensors = new Map([...prefixed(MODEL, model), ...prefixed(OPTIMIZER, optimizer)]);
  const metadata = new Map([['position', JSON.stringify(position)]]);
  if (lossScale !== null) metadata.set('lossScale', JSON.stringify(lossScale));
  await writeTensors(runFiles(folder.path).checkpoint, labels(folder).checkpoint, { tensors, metadata });
}

/** Reads the checkpoint of a run; undefined if there is none yet. Throws, naming the file, if it is damaged or of another run. */
export async function readCheckpoint(folder: RunFolder): Promise<Checkpoint | undefined> {
  const path = runFiles(folder.path).checkpoint;
  if (!(await exists(path))) return undefined;
  const { metadata, tensors } = await readTensors(path, labels(folder).checkpoint);
  try {
    return {
      position: parsePosition(metadata.get('position') ?? 'null'),
      model: without(MODEL, tensors),
      optimizer: without(OPTIMIZER, tensors),
      lossScale: parseLossScale(metadata.get('lossScale')),
    };
  } catch (error) {
    throw new Error(`${path} is not a checkpoint to resume from: ${messageOf(error)}`, { cause: error });
  }
}

function parseLossScale(text: string | undefined): LossScaleState | null {
  if (text === undefined) return null;
  const value = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
  const [scale, goodSteps, skipped] = [value?.['scale'], value?.['goodSteps'], value?.['skipped']];
  if (typeof scale !== 'number' || typeof goodSteps !== 'number' || typeof skipped !== 'number')
    throw new Error('its loss scale is not one of ours');
  return { scale, goodSteps, skipped };
}

function parsePosition(text: string): Position {
  const value = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
  const stage = value?.['stage'];
  const counts = (['epoch', 'step', 'totalSteps', 'recordBytes', 'recordSum'] as const).map(
    (name) => value?.[name],
  );
  const lossSum = value?.['lossSum'];
  if (typeof stage !== 'string' || !counts.every(Number.isSafeInteger) || typeof lossSum !== 'number') {
    throw new Error('its position is missing or not one of ours');
  }
  const [epoch = 0, step = 0, totalSteps = 0, recordBytes = 0, recordSum = 0] = counts as number[];
  // In the order in which a run writes them, so that a resumed one writes the same bytes.
  return { stage, epoch, step, totalSteps, lossSum, recordBytes, recordSum };
}

function prefixed(prefix: string, dict: StateDict): [string, HostTensor][] {
  return [...dict].map(([name, tensor]) => [prefix + name, tensor]);
}

function without(prefix: string, dict: StateDict): Map<string, HostTensor> {
  const entries = [...dict].filter(([name]) => name.startsWith(prefix));
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
