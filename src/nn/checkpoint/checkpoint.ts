import type { Shape } from '../../tensor/graph/shape.ts';
import type { HostTensor } from '../state.ts';
import { decodeElements, type FileDType } from './elements.ts';

/** Formats of checkpoints that are read. */
export type CheckpointFormat = 'safetensors' | 'torch-legacy' | 'torch-zip' | 'keras-hdf5';

/** A tensor of a file, read when it is asked for. */
export interface CheckpointTensor {
  /** Element type in the file. */
  readonly dtype: FileDType;
  /** May be of rank 0 or hold zeros. */
  readonly shape: Shape;
  /** Elements as they are in the file: dtype, row-major, little-endian, in memory of their own. */
  readBytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** Elements as the engine stores them (`decodeElements`). */
  read(): Promise<HostTensor>;
}

/** A tensor of a file whose elements `readBytes` fetches: little-endian, row-major, in memory of their own. */
export function checkpointTensor(
  name: string,
  dtype: FileDType,
  shape: Shape,
  readBytes: () => Promise<Uint8Array<ArrayBuffer>>,
): CheckpointTensor {
  return {
    dtype,
    shape,
    readBytes,
    read: async () => {
      const bytes = await readBytes();
      const whole = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
      return { shape, data: decodeElements(dtype, whole.buffer, name) };
    },
  };
}

/** What a checkpoint file holds. Opening reads its directory alone, never the elements. */
export interface CheckpointFile {
  readonly format: CheckpointFormat;
  /** By the names in the file, in its order. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** What else the file says, as text: safetensors' metadata, the scalars beside a state dict (epoch, arch). */
  readonly metadata: ReadonlyMap<string, string>;
}
