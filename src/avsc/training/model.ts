// The three models of a run under one interface: inputs and logits of each.

import type { StepInput } from '../../tensor/trace.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../features/logmel.ts';
import type { PictureInput } from '../features/pictures.ts';
import { SCENES } from '../dataset/scenes.ts';
import { DenseNetExtractor } from '../models/densenet.ts';
import { Fcnn } from '../models/fcnn.ts';
import { AudioNet, JointNet, MODALITIES, VideoNet, type Extractor, type Modality } from '../models/joint.ts';
import { PRESETS, type PresetName } from '../presets.ts';
import { ARCHITECTURE_NAMES, type Architecture, type ArchitectureName } from '../weights/architecture.ts';
import { findArchitecture, IMAGENET_INPUT } from '../weights/architectures.ts';
import type { Stage } from './records.ts';

export type SceneModel =
  | { readonly stage: 'audio'; readonly net: AudioNet }
  | { readonly stage: 'video'; readonly net: VideoNet }
  | { readonly stage: 'joint'; readonly net: JointNet };

/** B samples: features [B, 6, 128, 39] and normalised pictures [B, 2, 3, S, S]. */
export interface SampleData {
  readonly audio: Float32Array<ArrayBuffer>;
  readonly frames: Float32Array<ArrayBuffer>;
  /** Embeddings [B, outFeatures] by frozen extractors, which replace the modality's input. */
  readonly embeddings?: Readonly<Partial<Record<Modality, Float32Array<ArrayBuffer>>>>;
}

/** Frames of each sample. */
const PICTURES = 2;
const AUDIO_SHAPE = [FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND] as const;

/** Inputs of a stage's model from a batch of `count` samples, in the order that `logitsOf` takes. */
export function inputsOf(stage: Stage, data: SampleData, count: number): StepInput[] {
  return modalitiesOf(stage).map((part) => {
    const embeddings = data.embeddings?.[part];
    if (embeddings) return { data: embeddings, shape: [count, embeddings.length / count] };
    if (part === 'audio') return { data: data.audio, shape: [count, ...AUDIO_SHAPE] };
    const side = Math.sqrt(data.frames.length / (count * PICTURES * 3));
    return { data: data.frames, shape: [count, PICTURES, 3, side, side] };
  });
}

/** Modalities of a stage's model, in the order of its inputs. */
export function modalitiesOf(stage: Stage): readonly Modality[] {
  return stage === 'joint' ? MODALITIES : [stage];
}

/** Logits [B, classes]. Throws a RangeError if the number of inputs is not the model's. */
export function logitsOf(model: SceneModel, inputs: readonly Tensor[]): Tensor {
  const [first, second] = inputs;
  if (first === undefined || (model.stage === 'joint') !== (second !== undefined)) {
    throw new RangeError(`the ${model.stage} model does not take ${inputs.length} inputs`);
  }
  switch (model.stage) {
    case 'audio':
    case 'video':
      return model.net.forward(first);
    case 'joint':
      return model.net.forward(first, second as Tensor);
  }
}

/** Published nets that replace a preset's extractors; null keeps the preset's own. */
export type ExtractorNames = Readonly<Record<Modality, ArchitectureName | null>>;

const OWN: ExtractorNames = { audio: null, video: null };

/**
 * The three models of a preset, with published nets as extractors if they are named, in host memory. The seed set by
 * `manualSeed` decides their initial weights. Throws an Error for a net of the other modality.
 */
export function createModels(
  preset: PresetName,
  names: ExtractorNames = OWN,
): { readonly [S in Stage]: Extract<SceneModel, { stage: S }> } {
  const config = PRESETS[preset];
  const audio = (): Extractor => published('audio', names)?.createExtractor() ?? new Fcnn(config.audio);
  const video = (): Extractor =>
    published('video', names)?.createExtractor() ?? new DenseNetExtractor(config.video);
  const standardised = MODALITIES.filter((part) => config.standardise && names[part] !== null);
  const classes = SCENES.length;
  return {
    audio: { stage: 'audio', net: new AudioNet(audio(), classes, { standardised }) },
    video: { stage: 'video', net: new VideoNet(video(), classes, { standardised }) },
    joint: { stage: 'joint', net: new JointNet(audio(), video(), classes, { standardised }) },
  };
}

/** Preprocessing for a preset's video net, or for the published net that replaces it. */
export function pictureInput(preset: PresetName, names: ExtractorNames = OWN): PictureInput {
  const input = published('video', names)?.input;
  if (input?.kind === 'picture') return input;
  return { ...IMAGENET_INPUT, size: PRESETS[preset].imageSize };
}

/** Published nets that can be an extractor of this modality. */
export function architecturesFor(part: Modality): readonly ArchitectureName[] {
  return ARCHITECTURE_NAMES.filter((name) => looksAt(part, findArchitecture(name)));
}

function looksAt(part: Modality, { input }: Architecture): boolean {
  if (part === 'video') return input.kind === 'picture';
  return input.kind === 'sound' && input.input === 'logmel';
}

function published(part: Modality, names: ExtractorNames): Architecture | undefined {
  const name = names[part];
  if (name === null) return undefined;
  const architecture = findArchitecture(name);
  if (looksAt(part, architecture)) return architecture;
  throw new Error(`${name} is a net for ${architecture.input.kind}s: it cannot be the ${part} extractor`);
}
