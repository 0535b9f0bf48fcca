// Where a model looks: Grad-CAM on its frames, and the gradient on its sound.

import type { Device } from '../../tensor/device.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import { formatShape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { mul, relu, reshape, sum } from '../../tensor/ops/index.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { JointNet, type VideoNet } from '../models/joint.ts';
import { feed, receive, type InputPlan, type SampleData } from '../training/inputs.ts';
import { logitsOf, type ModelInputs, type SceneModel } from '../training/model.ts';
import type { Relevance } from './types.ts';

/** What one model says of a second: logits [classes], and what in its inputs they come from. */
export interface ModelRelevance {
  /** Of each frame; null for a model without pictures. */
  readonly frames: readonly Relevance[] | null;
  /** Of the sound's input; null for a model without sound. */
  readonly sound: Relevance | null;
}

/**
 * Grad-CAM (Selvaraju et al. 2017): with A the last feature map [C, h, w] of a frame and y the logit of the scene,
 * relu(sum_c mean_hw(dy / dA_c) A_c). For sound dy / dx of the net's input x [channels, ...]. The model's parameters must not
 * require gradients.
 */
export async function relevanceOf(
  device: Device,
  model: SceneModel,
  plan: InputPlan,
  data: SampleData,
  scene: number,
): Promise<ModelRelevance> {
  model.net.eval();
  const chosen = new Float32Array(model.scenes.length);
  chosen[scene] = 1;
  const { cam, gradient } = device.scope(() => {
    const given = feed({ ...plan, augmentation: null }, data, 1).map((input) => {
      const { data: values, shape } = input as { data: Float32Array; shape: readonly number[] };
      return device.tensor(values, shape);
    });
    const { inputs } = noGrad(() => receive({ ...plan, augmentation: null }, given));
    const sound = inputs.audio?.detach() ?? null;
    if (sound !== null) sound.requiresGrad = true;
    const looked = inputs.video === undefined ? null : lookAt(model, inputs.video);
    const leaves: ModelInputs = {
      ...(sound && { audio: sound }),
      ...(looked && { video: looked.embedding }),
    };
    sum(mul(logitsOf(model, leaves), device.tensor(chosen, [1, chosen.length]))).backward();
    return { cam: looked && camOf(looked.map), gradient: sound?.grad?.detach() ?? null };
  });
  return {
    frames: cam && framesOf(cam.shape, await floatsOf(cam)),
    sound: gradient && { shape: gradient.shape.slice(1), data: await floatsOf(gradient) },
  };
}

/** The map of frames [1, F, 3, H, W] as a leaf, and the embedding [1, outFeatures] that comes from it. */
function lookAt(model: SceneModel, frames: Tensor): { readonly map: Tensor; readonly embedding: Tensor } {
  const extractor = videoOf(model).video;
  const [, count = 1, ...picture] = frames.shape;
  const map = noGrad(() => extractor.map(reshape(frames, [count, ...picture]))).detach();
  map.requiresGrad = true;
  const each = reshape(extractor.pool(map), [1, count, extractor.outFeatures]);
  return { map, embedding: mean(each, { dim: 1 }) };
}

function videoOf({ net, stage }: SceneModel): JointNet | VideoNet {
  if ('video' in net) return net;
  throw new Error(`the model ${stage} takes no pictures`);
}

/** [F, h, w] of a map [F, C, h, w] whose gradient is known. */
function camOf(map: Tensor): Tensor {
  const { grad } = map;
  if (grad === null) throw new Error(`no gradient has reached the feature map ${formatShape(map.shape)}`);
  return noGrad(() => relu(sum(mul(mean(grad, { dim: [2, 3], keepDim: true }), map), { dim: 1 })));
}

async function floatsOf(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  const data = Float32Array.from(await tensor.data());
  tensor.dispose();
  return data;
}

function framesOf(
  [count = 0, height = 0, width = 0]: readonly number[],
  all: Float32Array<ArrayBuffer>,
): Relevance[] {
  return Array.from({ length: count }, (_, i) => ({
    shape: [height, width],
    data: all.slice(i * height * width, (i + 1) * height * width),
  }));
}
