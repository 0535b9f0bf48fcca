// Exports a run's model for other programs.

import { writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import { exportOnnx } from '../../../nn/onnx/export.ts';
import { softmax } from '../../../tensor/ops/softmax.ts';
import type { HostTensor } from '../../../nn/state.ts';
import type { Device } from '../../../tensor/device.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import { writeFileAtomic } from '../../../node/files.ts';
import { describeInputs, describeModel } from '../../training/describe.ts';
import { writeDefinition } from '../../training/definition.ts';
import { findStage, logitsOf } from '../../training/model.ts';
import { labels, weightsFile, type RunFolder } from './folder.ts';
import { loadModel } from './load.ts';
import { readTensors } from './tensors-file.ts';

/** Writes the weights, with the model's description as metadata. Throws, naming the file, if one is missing. */
export async function exportRunSafetensors(folder: RunFolder, stage: string, out: string): Promise<void> {
  const { recipe } = folder.config;
  const { tensors, metadata } = await readTensors(weightsFile(folder, stage), labels(folder).stage(stage));
  const described = new Map([
    ...metadata,
    ...describeModel(recipe, findStage(recipe, stage)),
    writeDefinition({ experiment: recipe, prefixes: { [stage]: '' } }),
  ]);
  await writeFileAtomic(out, writeSafetensors(tensors, described));
}

/** Writes the weights of all models into one file, whose names begin with their stage. Throws, naming the file, if one is missing. */
export async function exportAllSafetensors(folder: RunFolder, out: string): Promise<void> {
  const { recipe } = folder.config;
  const all = new Map<string, HostTensor>();
  const prefixes: Record<string, string> = {};
  for (const { id } of recipe.stages) {
    const { tensors } = await readTensors(weightsFile(folder, id), labels(folder).stage(id));
    prefixes[id] = `${id}/`;
    for (const [name, tensor] of tensors) all.set(`${id}/${name}`, tensor);
  }
  const metadata = new Map([['experiment', recipe.name], writeDefinition({ experiment: recipe, prefixes })]);
  await writeFileAtomic(out, writeSafetensors(all, metadata));
}

/**
 * Writes the whole model as ONNX, with the stage's inputs among audio [batch, 6, 128, 39] and frames [batch, 2, 3, S, S] and
 * the outputs logits and probabilities [batch, 10]. `fixedBatch` is the reason if the batch is fixed to 1, else null.
 */
export async function exportRunOnnx(
  folder: RunFolder,
  stage: string,
  device: Device,
  out: string,
): Promise<{ readonly fixedBatch: string | null }> {
  const { recipe } = folder.config;
  const model = await loadModel(folder, stage, device);
  try {
    model.net.eval();
    const spec = findStage(recipe, stage);
    const inputs = describeInputs(recipe, spec);
    const exported = await exportOnnx(device, model.net, {
      name: `wavelight_${stage}`,
      description: `Audio-visual scene classification, ${stage} model; ${inputs.map(({ name, description }) => `${name}: ${description}`).join('; ')}`,
      metadata: describeModel(recipe, spec),
      inputs,
      forward: (...given) => {
        const named = Object.fromEntries(model.parts.map((part, i) => [part, given[i] as Tensor]));
        const logits = logitsOf(model, named);
        return { logits, probabilities: softmax(logits, 1) };
      },
    });
    await writeFileAtomic(out, exported.pieces());
    return { fixedBatch: exported.fixedBatch };
  } finally {
    model.net.dispose();
  }
}
