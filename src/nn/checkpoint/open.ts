import type { CheckpointFile } from './checkpoint.ts';
import { identifyCheckpoint } from './identify.ts';
import { readSafetensorsFile } from './safetensors/file.ts';
import type { ByteSource } from './source.ts';

/**
 * Opens a checkpoint of any supported format, which its bytes decide, never its name. The readers of PyTorch's and Keras' files
 * are loaded on demand. Throws an Error of one sentence that says what is wrong with the file, or what it is instead.
 */
export async function openCheckpoint(source: ByteSource): Promise<CheckpointFile> {
  const format = await identifyCheckpoint(source);
  switch (format) {
    case 'safetensors':
      return readSafetensorsFile(source);
    case 'torch-legacy':
      return (await import('./torch/legacy.ts')).readTorchLegacy(source);
    case 'torch-zip':
      return (await import('./torch/zip.ts')).readTorchZip(source);
    case 'keras-hdf5':
      return (await import('./hdf5/keras.ts')).readKeras(source);
  }
}
