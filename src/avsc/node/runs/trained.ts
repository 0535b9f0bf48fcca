// Trained models, wherever they are: in a run's folder, or in one file.

import { stat } from 'node:fs/promises';
import { readSafetensorsFile } from '../../../nn/checkpoint/safetensors/file.ts';
import { bytesSource } from '../../../nn/checkpoint/source.ts';
import type { HostTensor } from '../../../nn/state.ts';
import type { Device } from '../../../tensor/device.ts';
import { openFileSource } from '../../../node/file-source.ts';
import { messageOf } from '../../../node/files.ts';
import type { Experiment } from '../../experiment/experiment.ts';
import { readDefinition } from '../../training/definition.ts';
import { wantedTensors } from '../../training/file-tensors.ts';
import { createModel, findStage, type SceneModel } from '../../training/model.ts';
import { openRun, type RunFolder } from './folder.ts';
import { loadModel } from './load.ts';

export interface TrainedModels {
  /** Of the run's folder, or of the file. */
  readonly path: string;
  readonly experiment: Experiment;
  /** Ids of the stages whose models there are. */
  readonly models: readonly string[];
  /** The model of a stage, on the device. Throws an Error of one sentence that names the file. */
  load(stage: string, device: Device): Promise<SceneModel>;
  /** The run's folder; null for a file. */
  readonly folder: RunFolder | null;
}

export function modelsOfRun(folder: RunFolder): TrainedModels {
  const { recipe } = folder.config;
  return {
    path: folder.path,
    experiment: recipe,
    models: recipe.stages.map(({ id }) => id),
    load: (stage, device) => loadModel(folder, stage, device),
    folder,
  };
}

/** Opens a run's folder, or a file of weights with a definition. Throws an Error of one sentence if it is neither. */
export async function openTrained(path: string): Promise<TrainedModels> {
  return (await isModelFile(path)) ? openModelFile(path) : modelsOfRun(await openRun(path));
}

/** Whether the path is of a safetensors file. */
export async function isModelFile(path: string): Promise<boolean> {
  if (!path.toLowerCase().endsWith('.safetensors')) return false;
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * Opens what `wavelight export RUN --format safetensors` writes, with or without `--all`, or what a page taught. Throws an Error of one
 * sentence that names the file.
 */
async function openModelFile(path: string): Promise<TrainedModels> {
  const bytes = await readWhole(path);
  const { tensors, metadata } = await readSafetensorsFile(bytesSource(bytes)).catch((error: unknown) => {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  });
  const definition = within(path, () => readDefinition(metadata));
  if (definition === null)
    throw new Error(
      `${path} does not say which nets its weights are of: write one by "wavelight export RUN --format safetensors", or name the run's folder`,
    );
  const { experiment, prefixes } = definition;
  const models = experiment.stages.flatMap(({ id }) => (Object.hasOwn(prefixes, id) ? [id] : []));
  if (models.length === 0) throw new Error(`${path} names no model`);
  return {
    path,
    experiment,
    models,
    load: async (stage, device) => {
      const prefix = prefixes[stage];
      if (prefix === undefined || !models.includes(stage))
        throw new Error(`${path} has no model ${stage}: it has ${models.join(', ')}`);
      const model = createModel(experiment, findStage(experiment, stage));
      const wanted = within(path, () => wantedTensors(tensors, model.net.namedTensors(), prefix, stage));
      const state = new Map<string, HostTensor>();
      for (const [name, tensor] of wanted) state.set(name, await tensor.read());
      model.net.loadStateDict(state);
      model.net.to(device);
      return model;
    },
    folder: null,
  };
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const source = await openFileSource(path);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

function within<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}
