// Exports a run's model for other programs.

import { safetensorsPieces } from '../../../nn/checkpoint/safetensors/file.ts';
import { exportOnnx } from '../../../nn/onnx/export.ts';
import { softmax } from '../../../tensor/ops/softmax.ts';
import type { Device } from '../../../tensor/device.ts';
import { writeFileAtomic } from '../../../node/files.ts';
import { describeInputs, describeModel } from '../../training/describe.ts';
import { logitsOf } from '../../training/model.ts';
import type { Stage } from '../../training/records.ts';
import { withCheckpoint } from '../weights/checkpoint-file.ts';
import { loadModel } from './load.ts';
import { runFiles, type RunFolder } from './folder.ts';

/** Writes the weights, with the model's description as metadata. Throws, naming the file, if one is missing. */
export async function exportRunSafetensors(
  { path, config }: RunFolder,
  stage: Stage,
  out: string,
): Promise<void> {
  await withCheckpoint(runFiles(path).weights(stage), async ({ tensors, metadata }) => {
    const described = new Map([...metadata, ...describeModel(config.recipe, stage)]);
    await writeFileAtomic(out, safetensorsPieces(tensors, described));
  });
}

/**
 * Writes the whole model as ONNX, with the stage's inputs among audio [batch, 6, 128, 39] and frames [batch, 2, 3, S, S] and
 * the outputs logits and probabilities [batch, 10]. `fixedBatch` is the reason if the batch is fixed to 1, else null.
 */
export async function exportRunOnnx(
  folder: RunFolder,
  stage: Stage,
  device: Device,
  out: string,
): Promise<{ readonly fixedBatch: string | null }> {
  const { recipe } = folder.config;
  const model = await loadModel(folder, stage, device);
  try {
    model.net.eval();
    const inputs = describeInputs(recipe, stage);
    const exported = await exportOnnx(device, model.net, {
      name: `wavelight_${stage}`,
      description: `Audio-visual scene classification, ${stage} model; ${inputs.map(({ name, description }) => `${name}: ${description}`).join('; ')}`,
      metadata: describeModel(recipe, stage),
      inputs,
      forward: (...given) => {
        const logits = logitsOf(model, given);
        return { logits, probabilities: softmax(logits, 1) };
      },
    });
    await writeFileAtomic(out, exported.pieces());
    return { fixedBatch: exported.fixedBatch };
  } finally {
    model.net.dispose();
  }
}
