import type { Shape } from '../../tensor/graph/shape.ts';
import type { HostTensor } from '../state.ts';
import { decodeElements, type FileDType } from './elements.ts';

/** Supported formats of checkpoints. */
export type CheckpointFormat = 'safetensors' | 'torch-legacy' | 'torch-zip' | 'keras-hdf5';

/** A tensor of a file, read on demand. */
export interface CheckpointTensor {
  /** Element type in the file. */
  readonly dtype: FileDType;
  /** May have rank 0 or dimensions of size 0. */
  readonly shape: Shape;
  /** Elements in the file's dtype, row-major and little-endian, in a buffer of their own. */
  readBytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** Elements in the engine's types (`decodeElements`). */
  read(): Promise<HostTensor>;
}

/** A tensor of a file from `readBytes`, which gives its elements as `CheckpointTensor.readBytes` does. */
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

/** An open checkpoint. Opening reads only the directory of a file, never the elements. */
export interface CheckpointFile {
  readonly format: CheckpointFormat;
  /** Tensors by their names in the file, in its order. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Metadata as text: that of safetensors, or the scalars beside a state dict (epoch, arch). */
  readonly metadata: ReadonlyMap<string, string>;
}
