// A batch of made-up samples, for plans and benchmarks.

import { elementCount } from '../../tensor/graph/shape.ts';
import { SOUND_INPUTS } from '../features/inputs.ts';
import type { Modality } from '../models/joint.ts';
import type { InputPlan, TrainingData } from './inputs.ts';
import type { SceneModel } from './model.ts';

/** `count` samples; with mixup `partnerRows` rows more, each the partner of one of the samples. */
export function exampleBatch(
  { parts, augmentation, picture: { size } }: InputPlan,
  model: SceneModel,
  count: number,
  partnerRows: number,
): TrainingData {
  const mixes = (augmentation?.mixup ?? null) !== null;
  const rows = count + (mixes ? partnerRows : 0);
  const inputs: Record<string, Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> = {};
  const embeddings: Partial<Record<Modality, Float32Array<ArrayBuffer>>> = {};
  for (const { part, from } of parts) {
    if (from === 'embeddings') embeddings[part] = new Float32Array(rows * featuresOf(model, part)).map(wave);
    else if (from === 'frames')
      inputs[from] = new Uint8Array(rows * 2 * 3 * size * size).map((_, i) => (i * 7919) >> 3);
    else inputs[from] = new Float32Array(rows * elementCount(SOUND_INPUTS[from])).map(wave);
  }
  return {
    inputs,
    embeddings,
    epoch: 1,
    labels: new Float32Array(count * model.scenes.length).fill(1 / model.scenes.length),
    keys: Array.from({ length: rows }, (_, row) => row),
    mix: mixes
      ? {
          partner: Int32Array.from({ length: count }, (_, i) => (i < partnerRows ? count + i : i)),
          ratio: Float32Array.from({ length: count }, (_, i) => (i < partnerRows ? 0.6 : 1)),
        }
      : null,
  };
}

const wave = (_: number, i: number): number => 0.5 + 0.5 * Math.sin(i * 12.9898);

function featuresOf({ net }: SceneModel, part: Modality): number {
  const extractor = part === 'audio' && 'audio' in net ? net.audio : 'video' in net ? net.video : null;
  if (extractor === null) throw new Error(`the model has no ${part} extractor`);
  return extractor.outFeatures;
}
