import { readFile } from 'node:fs/promises';
import type { CheckpointFile } from '../../src/nn/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../src/nn/checkpoint/open.ts';
import { writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { bytesSource } from '../../src/nn/checkpoint/source.ts';
import type { StateDict } from '../../src/nn/state.ts';

/** A checkpoint of any format, from a path below the project's root. */
export const openFile = async (path: string): Promise<CheckpointFile> =>
  openCheckpoint(bytesSource(await readFile(path)));

/** A safetensors file with these tensors. */
export const openWritten = (tensors: StateDict): Promise<CheckpointFile> =>
  openCheckpoint(bytesSource(writeSafetensors(tensors)));
