// The three models of a run behind one face: which inputs each takes and how it gets to logits.

import type { StepInput } from '../../tensor/compile.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../features/logmel.ts';
import { SCENES } from '../dataset/scenes.ts';
import { DenseNetExtractor } from '../models/densenet.ts';
import { Fcnn } from '../models/fcnn.ts';
import { AudioNet, JointNet, VideoNet, type Extractor } from '../models/joint.ts';
import { PRESETS, type PresetName } from '../presets.ts';
import type { Stage } from './records.ts';

export type SceneModel =
  | { readonly stage: 'audio'; readonly net: AudioNet }
  | { readonly stage: 'video'; readonly net: VideoNet }
  | { readonly stage: 'joint'; readonly net: JointNet };

/** B samples: features [B, 6, 128, 39] and normalised pictures [B, 2, 3, S, S]. */
export interface SampleData {
  readonly audio: Float32Array<ArrayBuffer>;
  readonly frames: Float32Array<ArrayBuffer>;
}

/** Frames of each sample. */
const PICTURES = 2;
const AUDIO_SHAPE = [FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND] as const;

/** What the model of a stage wants of a batch of `count` samples, in the order that `logitsOf` takes. */
export function inputsOf(stage: Stage, { audio, frames }: SampleData, count: number): StepInput[] {
  const sound: StepInput = { data: audio, shape: [count, ...AUDIO_SHAPE] };
  const side = Math.sqrt(frames.length / (count * PICTURES * 3));
  const pictures: StepInput = { data: frames, shape: [count, PICTURES, 3, side, side] };
  switch (stage) {
    case 'audio':
      return [sound];
    case 'video':
      return [pictures];
    case 'joint':
      return [sound, pictures];
  }
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

/** The three models of a preset in host memory; `manualSeed` before decides their initial weights. */
export function createModels(preset: PresetName): {
  readonly [S in Stage]: Extract<SceneModel, { stage: S }>;
} {
  const config = PRESETS[preset];
  const audio = (): Extractor => new Fcnn(config.audio);
  const video = (): Extractor => new DenseNetExtractor(config.video);
  return {
    audio: { stage: 'audio', net: new AudioNet(audio(), SCENES.length) },
    video: { stage: 'video', net: new VideoNet(video(), SCENES.length) },
    joint: { stage: 'joint', net: new JointNet(audio(), video(), SCENES.length) },
  };
}
