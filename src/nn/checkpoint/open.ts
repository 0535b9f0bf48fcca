import type { CheckpointFile } from './checkpoint.ts';
import { openGiven, type CheckpointSource } from './given.ts';
import { identifyCheckpoint } from './identify.ts';
import type { OpenOptions } from './options.ts';
import { readSafetensorsFile } from './safetensors/file.ts';
import type { ByteSource } from './source.ts';

/**
 * Opens a checkpoint of any supported format, which its bytes decide, never its name: from a URL, a Blob, bytes, a Response or a
 * ByteSource (`CheckpointSource`). A file on a server is read by few ranges, or as a whole if the server gives none; it must not change
 * meanwhile. The readers of PyTorch's and Keras' files are loaded on demand. Throws an Error of one sentence that says what is wrong with
 * the file, or what it is instead, a TypeError for what is no source, and the signal's reason.
 */
export async function openCheckpoint(
  source: CheckpointSource,
  options: OpenOptions = {},
): Promise<CheckpointFile> {
  const { bytes, name } = await openGiven(source, options);
  try {
    return await openFormat(bytes);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof Error) || error.message.includes(name)) throw error;
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
}

async function openFormat(source: ByteSource): Promise<CheckpointFile> {
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
