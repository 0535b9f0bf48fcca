// The models of an experiment's stages.

import type { InputName } from '../features/inputs.ts';
import type { PictureInput } from '../features/pictures.ts';
import {
  netsOf,
  type Experiment,
  type NetSpec,
  type StageModel,
  type StageSpec,
} from '../experiment/experiment.ts';
import { AudioNet, JointNet, MODALITIES, VideoNet, type Modality } from '../models/joint.ts';
import type { Extractor } from '../models/extractor.ts';
import { ARCHITECTURE_NAMES, modalityOf, type ArchitectureName } from '../weights/architecture.ts';
import { findArchitecture, IMAGENET_INPUT } from '../weights/architectures.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';

/** @inline */
interface ModelBase {
  /** Id of the model's stage. */
  readonly stage: string;
  /** Names of the scenes, in the order of the logits. */
  readonly scenes: readonly string[];
}

export type SceneModel = ModelBase &
  (
    | { readonly parts: readonly ['audio']; readonly net: AudioNet }
    | { readonly parts: readonly ['video']; readonly net: VideoNet }
    | { readonly parts: readonly ['audio', 'video']; readonly net: JointNet }
  );

/** @inline */
type Nets = Pick<Experiment, 'nets'>;

/** The net of an experiment by its name. Throws an Error if there is none. */
export function netOf({ nets }: Nets, name: string): NetSpec {
  const found = nets[name];
  if (found === undefined)
    throw new Error(`the experiment has no net ${name}: ${Object.keys(nets).join(', ')}`);
  return found;
}

/** The modality of a net's input. */
export const partOf = (experiment: Nets, net: string): Modality =>
  modalityOf(findArchitecture(netOf(experiment, net).architecture));

/** Modalities of a stage's model, in the order of its inputs. */
export const partsOf = (experiment: Nets, model: StageModel): readonly Modality[] =>
  netsOf(model).map((net) => partOf(experiment, net));

/** The net that a stage's model has for a modality; undefined if it has none. */
export const netFor = (experiment: Nets, model: StageModel, part: Modality): string | undefined =>
  netsOf(model).find((net) => partOf(experiment, net) === part);

/** The stage of this id. Throws an Error that lists the ids if there is none. */
export function findStage({ stages }: Pick<Experiment, 'stages'>, id: string): StageSpec {
  const found = stages.find((stage) => stage.id === id);
  if (found !== undefined) return found;
  throw new Error(`there is no model ${id}: choose one of ${stages.map((stage) => stage.id).join(', ')}`);
}

/** The model of a stage in host memory. The seed set by `manualSeed` decides its initial weights. */
export function createModel(
  experiment: Pick<Experiment, 'nets' | 'scenes'>,
  { id: stage, model }: StageSpec,
): SceneModel {
  const { scenes } = experiment;
  const extractor = (net: string): Extractor => {
    const { architecture, options } = netOf(experiment, net);
    return findArchitecture(architecture).createExtractor(options ?? undefined);
  };
  const classes = scenes.length;
  const standardised = netsOf(model)
    .filter((net) => netOf(experiment, net).standardize)
    .map((net) => partOf(experiment, net));
  if (model.kind === 'joint') {
    const { audio, video, fusion } = model;
    const net = new JointNet(extractor(audio), extractor(video), classes, { standardised, fusion });
    return { stage, scenes, parts: MODALITIES, net };
  }
  const options = { standardised, head: model.head };
  return partOf(experiment, model.net) === 'audio'
    ? { stage, scenes, parts: ['audio'], net: new AudioNet(extractor(model.net), classes, options) }
    : { stage, scenes, parts: ['video'], net: new VideoNet(extractor(model.net), classes, options) };
}

/** Freezes what a stage does not train. Call it before making the optimizer. */
export function freezeParts({ net }: SceneModel, { model, freeze }: StageSpec): void {
  if (net instanceof JointNet) {
    const heads = model.kind === 'joint' && model.fusion === 'baseline' && freeze.length > 0;
    net.freeze(freeze, { heads });
  } else net.freeze(freeze);
}

/** Inputs of a stage's model by modality. */
export type ModelInputs = Readonly<Partial<Record<Modality, Tensor>>>;

/**
 * Logits [B, classes]. `mix` is applied to the embeddings before they are classified. Throws a RangeError if an input of the model is
 * missing.
 */
export function logitsOf(
  model: SceneModel,
  inputs: ModelInputs,
  mix?: (embedding: Tensor) => Tensor,
): Tensor {
  const input = (part: Modality): Tensor => {
    const found = inputs[part];
    if (found === undefined) throw new RangeError(`the model ${model.stage} needs an input for ${part}`);
    return found;
  };
  if (model.net instanceof JointNet) return model.net.forward(input('audio'), input('video'), mix);
  return model.net.forward(input(model.parts[0]), mix);
}

/** The extractor of a model for a modality. Throws an Error if it has none. */
export function extractorOf({ net, stage }: SceneModel, part: Modality): Extractor {
  const found =
    part === 'audio' && 'audio' in net
      ? net.audio
      : part === 'video' && 'video' in net
        ? net.video
        : undefined;
  if (found === undefined) throw new Error(`the model ${stage} has no ${part} extractor`);
  return found;
}

/** Name of the input that a net takes. */
export function inputOf(experiment: Nets, net: string): InputName {
  const { input } = findArchitecture(netOf(experiment, net).architecture);
  return input.kind === 'sound' ? input.input : 'frames';
}

/** Inputs that the nets of an experiment's stages take. */
export const inputNames = (experiment: Pick<Experiment, 'nets' | 'stages'>): readonly InputName[] => [
  ...new Set(experiment.stages.flatMap(({ model }) => netsOf(model).map((net) => inputOf(experiment, net)))),
];

/** Preprocessing of the frames for a stage's video net, at the experiment's size. */
export function pictureInput(
  experiment: Pick<Experiment, 'nets' | 'imageSize'>,
  model: StageModel,
): PictureInput {
  const net = netFor(experiment, model, 'video');
  const input = net === undefined ? undefined : findArchitecture(netOf(experiment, net).architecture).input;
  const { mean, std } = input?.kind === 'picture' ? input : IMAGENET_INPUT;
  return { kind: 'picture', size: experiment.imageSize, mean, std };
}

/** Architectures that can be an extractor of this modality. */
export function architecturesFor(part: Modality): readonly ArchitectureName[] {
  return ARCHITECTURE_NAMES.filter((name) => modalityOf(findArchitecture(name)) === part);
}
