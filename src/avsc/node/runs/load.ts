// Loads the models of a run.

import { readFile } from 'node:fs/promises';
import { readSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import type { StateDict } from '../../../nn/state.ts';
import type { Device } from '../../../tensor/device.ts';
import { createModels, modalitiesOf, type SceneModel } from '../../training/model.ts';
import { extractorNames } from '../../training/recipe.ts';
import type { Stage } from '../../training/records.ts';
import { messageOf } from '../../../node/files.ts';
import { runFiles, type RunFolder } from './folder.ts';

/** The trained model of a stage, on the device. Throws, naming the file, if it is missing or damaged. */
export async function loadModel(
  { path, config }: RunFolder,
  stage: Stage,
  device: Device,
): Promise<SceneModel> {
  const model = createModels(config.recipe.preset, extractorNames(config.recipe))[stage];
  const file = runFiles(path).weights(stage);
  const weights = await readWeights(file);
  try {
    model.net.loadStateDict(weights);
  } catch (error) {
    throw new Error(`${file} does not hold the ${stage} model of this run: ${messageOf(error)}`, {
      cause: error,
    });
  }
  model.net.to(device);
  return model;
}

/**
 * Loads the initial extractors of a stage: given weights, or in the joint stage those of the first two stages. Throws, naming
 * the file, if it is missing, damaged or of another net.
 */
export async function loadExtractors({ path, config }: RunFolder, { stage, net }: SceneModel): Promise<void> {
  const files = runFiles(path);
  const { extractors } = config.recipe;
  for (const part of modalitiesOf(stage)) {
    if (stage !== 'joint' && !extractors[part]?.weights) continue;
    const file = stage === 'joint' ? files.weights(part) : files.given(part);
    const prefix = stage === 'joint' ? '' : `${part}.`;
    const named = [...(await readWeights(file))].map(([name, tensor]) => [prefix + name, tensor] as const);
    const isPart = (name: string): boolean => name.startsWith(`${part}.`) || name.startsWith(`${part}_norm.`);
    const { missing } = net.loadStateDict(new Map(named.filter(([name]) => isPart(name))), { strict: false });
    const lost = missing.filter((name) => name.startsWith(`${part}.`));
    if (lost.length > 0)
      throw new Error(`${file} lacks ${lost.length} tensors of the extractor, as ${lost[0]}`);
  }
}

/** Tensors of a safetensors file. Throws, naming the file, if it is missing or damaged. */
async function readWeights(path: string): Promise<StateDict> {
  try {
    // A copy as Uint8Array, because slices of a Buffer share its memory.
    return readSafetensors(new Uint8Array(await readFile(path))).tensors;
  } catch (error) {
    throw new Error(`cannot read the weights ${path}: ${messageOf(error)}`, { cause: error });
  }
}
