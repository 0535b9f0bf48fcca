// Loads the models of a run.

import type { StateDict } from '../../../nn/state.ts';
import type { Device } from '../../../tensor/device.ts';
import { netsOf, type StageSpec } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { JointNet, type Modality } from '../../models/joint.ts';
import { createModel, findStage, partOf, type SceneModel } from '../../training/model.ts';
import { messageOf } from '../../../node/files.ts';
import { labels, runFiles, weightsFile, type RunFolder } from './folder.ts';
import { readTensors } from './tensors-file.ts';

/** The trained model of a stage, on the device. Throws, naming the file, if it is missing or damaged. */
export async function loadModel(folder: RunFolder, stage: string, device: Device): Promise<SceneModel> {
  const { recipe } = folder.config;
  const model = createModel(recipe, findStage(recipe, stage));
  const file = weightsFile(folder, stage);
  const { tensors: weights } = await readTensors(file, labels(folder).stage(stage));
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

/** Where the initial weights of a net in a stage come from. */
type Origin =
  | { readonly kind: 'stage'; readonly stage: StageSpec }
  | { readonly kind: 'given' }
  | { readonly kind: 'random' };

/** The last stage before this one that has the net, or else its given weights, or else random ones. */
export function originOf({ stages, weights }: Recipe, { id }: StageSpec, net: string): Origin {
  const before = stages.slice(
    0,
    stages.findIndex((stage) => stage.id === id),
  );
  const stage = before.findLast(({ model }) => netsOf(model).includes(net));
  if (stage !== undefined) return { kind: 'stage', stage };
  return weights[net] ? { kind: 'given' } : { kind: 'random' };
}

/**
 * Loads the initial extractors of a stage, and the parts of a fusion that earlier stages trained as heads. Throws, naming the file, if
 * it is missing, damaged or of another net.
 */
export async function loadInitialWeights(
  folder: RunFolder,
  stage: StageSpec,
  { net }: SceneModel,
): Promise<void> {
  const { recipe } = folder.config;
  for (const name of netsOf(stage.model)) {
    const part = partOf(recipe, name);
    const origin = originOf(recipe, stage, name);
    if (origin.kind === 'random') continue;
    const [file, label] =
      origin.kind === 'stage'
        ? [weightsFile(folder, origin.stage.id), labels(folder).stage(origin.stage.id)]
        : [runFiles(folder.path).given(name), labels(folder).given(name)];
    const { tensors } = await readTensors(file, label);
    const named = origin.kind === 'stage' ? handedOn(tensors, part, net) : prefixed(tensors, `${part}.`);
    const { missing } = net.loadStateDict(named, { strict: false });
    const lost = missing.filter((key) => key.startsWith(`${part}.`));
    if (lost.length > 0)
      throw new Error(`${file} lacks ${lost.length} tensors of the extractor, as ${lost[0]}`);
  }
}

/** What a stage takes over from an earlier one, under its own names. */
function handedOn(tensors: StateDict, part: Modality, net: SceneModel['net']): StateDict {
  const nameOf = (name: string): string | null => {
    if (net instanceof JointNet) return net.nameOf(part, name);
    return name.startsWith(`${part}.`) || name.startsWith(`${part}_norm.`) ? name : null;
  };
  return new Map(
    [...tensors].flatMap(([name, tensor]) => {
      const own = nameOf(name);
      return own === null ? [] : [[own, tensor] as const];
    }),
  );
}

const prefixed = (tensors: StateDict, prefix: string): StateDict =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
