import { readFile } from 'node:fs/promises';
import { readSafetensors } from '../../src/nn/checkpoint/safetensors.ts';
import type { CheckpointFile, CheckpointTensor } from '../../src/nn/checkpoint/checkpoint.ts';
import type { HostTensor } from '../../src/nn/state.ts';

/** A checkpoint that is in memory. */
export function checkpointOf(
  tensors: Iterable<readonly [name: string, tensor: HostTensor]>,
  format: CheckpointFile['format'] = 'safetensors',
): CheckpointFile {
  const entries = [...tensors].map(([name, host]): [string, CheckpointTensor] => {
    const { buffer, byteOffset, byteLength } = host.data;
    const readBytes = () => Promise.resolve(new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)));
    return [name, { dtype: 'F32', shape: host.shape, readBytes, read: () => Promise.resolve(host) }];
  });
  return { format, tensors: new Map(entries), metadata: new Map() };
}

export async function openFile(path: string): Promise<CheckpointFile> {
  return checkpointOf(readSafetensors(await readFile(path)).tensors);
}
