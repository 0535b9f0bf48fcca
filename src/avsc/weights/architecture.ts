import type { CheckpointFile, CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import type { Layer } from '../../nn/module.ts';
import type { PictureInput } from '../features/pictures.ts';
import type { Extractor } from '../models/joint.ts';

/** Nets whose published weights are read. */
export const ARCHITECTURE_NAMES = [
  'densenet161',
  'resnet18',
  'resnet50',
  'resnest50',
  'squeezenet1_1',
  'fcnn',
  'fcnn_small',
] as const;

export type ArchitectureName = (typeof ARCHITECTURE_NAMES)[number];

/** Log-mel features [channels, 128, T], scaled over the whole clip. */
export interface SoundInput {
  readonly kind: 'sound';
  readonly channels: number;
}

export interface Architecture {
  readonly name: ArchitectureName;
  readonly input: PictureInput | SoundInput;
  /** Classes of the published weights. */
  readonly classes: number;
  /** From inputs [N, ...] to logits [N, classes]. */
  createClassifier(classes: number): Layer;
  /** From inputs [N, ...] to embeddings. Its parameter names are the classifier's without those of the head. */
  createExtractor(): Extractor;
  /** Parameter names of the last layer, whose shapes depend on the number of classes; empty if the net has none. */
  readonly head: readonly string[];
  /**
   * The file's tensors under this net's names and in its layout (transposed, flipped, reordered when they are read).
   * Unknown names stay as they are, so that the report lists them. Throws an Error of one sentence if the file is
   * obviously of another kind of net, or if a companion is missing.
   */
  adapt(
    file: CheckpointFile,
    companions: ReadonlyMap<string, CheckpointTensor>,
  ): ReadonlyMap<string, CheckpointTensor>;
  /** Files that must lie beside the published weights: the SqueezeNet's mean image. Empty for most. */
  readonly companions: readonly string[];
}
