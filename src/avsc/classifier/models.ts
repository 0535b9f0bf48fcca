// The models of a file of weights, on a device.

import '../../tensor/pixels/methods.ts';
import type { CheckpointFile } from '../../nn/checkpoint/checkpoint.ts';
import type { HostTensor } from '../../nn/state.ts';
import type { Device } from '../../tensor/device.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { reshape } from '../../tensor/ops/index.ts';
import type { PixelSource } from '../../tensor/pixels/sources.ts';
import { resultStages, type Experiment, type StageSpec } from '../experiment/experiment.ts';
import { squashedSide } from '../features/frames.ts';
import type { Modality } from '../models/joint.ts';
import { modelsFor } from '../training/choice.ts';
import { readDefinition, type Definition } from '../training/definition.ts';
import { wantedTensors } from '../training/file-tensors.ts';
import { feed, type InputPlan, type SampleData } from '../training/inputs.ts';
import { createModel, findStage, logitsOf, type ModelInputs, type SceneModel } from '../training/model.ts';
import { inputPlan } from '../training/plan.ts';
import { createPredictor, type Predictor } from '../training/trainer.ts';
import type { ModelRelevance } from './explain.ts';
import type { LoadOptions } from './types.ts';

/** Reads the pictures before it returns, and gives a function that predicts. */
type DrawnPredictor = (
  sound: SampleData['inputs'],
  pictures: readonly [PixelSource, PixelSource],
) => () => Promise<Tensor>;

/** A model that is ready to predict. */
export interface LoadedModel {
  readonly stage: StageSpec;
  /** On the device, not trained. */
  readonly model: SceneModel;
  /** Takes frames as bytes. */
  readonly predictor: Predictor;
  /** See `relevanceOf`. */
  readonly relevance: (data: SampleData, scene: number) => Promise<ModelRelevance>;
  /** Logits [1, classes] of sound and of pictures that are read at once, by the device. Null if the model takes none. */
  readonly predictDrawn: DrawnPredictor | null;
  dispose(): void;
}

/** Of a file, or as given. Throws an Error of one sentence that says how to make a file that has a definition. */
export function definitionOf(
  file: CheckpointFile,
  { experiment, model }: Pick<LoadOptions, 'experiment' | 'model'>,
): Definition {
  if (experiment !== undefined) {
    const [first = '', ...others] = resultStages(experiment);
    if (model === undefined && others.length > 0)
      throw new Error(
        `the experiment's result is of ${others.length + 1} models: name the file's with model`,
      );
    return { experiment, prefixes: { [findStage(experiment, model ?? first).id]: '' } };
  }
  const found = readDefinition(file.metadata);
  if (found === null)
    throw new Error(
      'the file does not say which nets its weights are of: write one by "wavelight export RUN --format safetensors", or give the experiment in the options',
    );
  if (Object.keys(found.prefixes).length === 0) throw new Error('the file names no model');
  if (model === undefined) return found;
  const prefix = found.prefixes[model];
  if (prefix !== undefined) return { experiment: found.experiment, prefixes: { [model]: prefix } };
  throw new Error(`the file has no model ${model}: it has ${Object.keys(found.prefixes).join(', ')}`);
}

/** Loads a model. Names and shapes are checked before any element is read. Throws an Error of one sentence. */
export async function loadModel(
  device: Device,
  { tensors }: CheckpointFile,
  { experiment, prefixes }: Definition,
  id: string,
): Promise<LoadedModel> {
  const stage = findStage(experiment, id);
  const model = createModel(experiment, stage);
  const { net } = model;
  const state = new Map<string, HostTensor>();
  const wanted = wantedTensors(tensors, net.namedTensors(), prefixes[id] ?? '', id);
  // At once, so that a file on a server is read by few requests.
  await Promise.all(
    wanted.map(async ([name, tensor]) => {
      state.set(name, await tensor.read());
    }),
  );
  net.loadStateDict(state);
  net.to(device).eval().requiresGrad_(false);
  const plan = inputPlan(experiment, { ...stage, freeze: [] }, 'evaluation');
  const predictor = createPredictor(device, model, plan);
  const drawn = drawnPredictor(device, model, plan);
  return {
    stage,
    model,
    predictor,
    relevance: async (data, scene) =>
      (await import('./explain.ts')).relevanceOf(device, model, plan, data, scene),
    predictDrawn: drawn?.predict ?? null,
    dispose: () => {
      predictor.dispose();
      drawn?.dispose();
      net.dispose();
    },
  };
}

/** Null for a model without pictures. */
function drawnPredictor(
  device: Device,
  model: SceneModel,
  plan: InputPlan,
): { readonly predict: DrawnPredictor; dispose(): void } | null {
  if (!plan.parts.some(({ from }) => from === 'frames')) return null;
  const { mean, std, size } = plan.picture;
  const compiled = device.compile((...tensors: Tensor[]) => {
    model.net.eval();
    const inputs = plan.parts.map(({ part, from }, i) => {
      const tensor = tensors[i] as Tensor;
      return [part, from === 'frames' ? reshape(tensor, [1, ...tensor.shape]) : tensor];
    });
    return noGrad(() => logitsOf(model, Object.fromEntries(inputs) as ModelInputs));
  });
  const predict: DrawnPredictor = (sound, pictures) => {
    const frames = device.fromPixels(pictures, { resize: squashedSide(size), size, mean, std });
    return async () => {
      try {
        const inputs = plan.parts.flatMap((input) =>
          input.from === 'frames' ? [frames] : feed({ ...plan, parts: [input] }, { inputs: sound }, 1),
        );
        return await compiled(...inputs);
      } finally {
        frames.dispose();
      }
    };
  };
  return { predict, dispose: () => compiled.dispose() };
}

/**
 * The models that judge an input with these modalities, as `wavelight predict` chooses them. Throws an Error of one sentence if the file
 * lacks one.
 */
export function chooseModels(
  experiment: Experiment,
  loaded: ReadonlyMap<string, LoadedModel>,
  has: Readonly<Record<Modality, boolean>>,
): readonly LoadedModel[] {
  const ofResult = resultStages(experiment).some((id) => loaded.has(id));
  const stages = [...loaded.values()].map(({ stage }) => stage);
  const chosen = modelsFor(experiment, ofResult ? experiment.stages : stages, has);
  const names = chosen?.map(({ id }) => id) ?? [];
  const models = names.flatMap((id) => loaded.get(id) ?? []);
  if (models.length > 0 && models.length === names.length) return models;
  const given = !has.audio ? 'pictures alone' : has.video ? 'sound and pictures' : 'sound alone';
  const wayOut =
    chosen === null ? '' : ': write one that has all by "wavelight export RUN --format safetensors --all"';
  throw new Error(`the file has no model for ${given}, only ${[...loaded.keys()].join(', ')}${wayOut}`);
}
