// An experiment: everything that decides the result of a training, as a file in experiments/ holds it.

import type { Precision } from '../../tensor/graph/recording.ts';
import type { FusionKind, HeadKind, Modality } from '../models/joint.ts';
import type { ArchitectureName } from '../weights/architecture.ts';
import type { Augmentation } from './augmentation.ts';

/** A net that stages train or use. Stages that name the same net hand its weights on, in their order. */
export interface NetSpec {
  readonly architecture: ArchitectureName;
  /** Sizes, for architectures that have options: fcnn and densenet. */
  readonly options: unknown;
  /**
   * Initial weights of the extractor: the name of a published set (`places365`, `imagenet`, `openl3`), which is looked for in the
   * folder of weights, or a path; null for random ones.
   */
  readonly weights: string | null;
  /** Whether its embeddings are standardized (batch norm without scale and shift) before they are classified. */
  readonly standardize: boolean;
}

export interface AdamConfig {
  readonly kind: 'adam';
  readonly learningRate: number;
  /** Added to the gradient as L2 regularization, as in PyTorch's Adam. */
  readonly weightDecay: number;
}

export interface SgdConfig {
  readonly kind: 'sgd';
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

export const SCHEDULES = ['constant', 'cosine', 'warmRestarts'] as const;
/**
 * Learning rate over the epochs, as the functions of `optim` do it.
 * @useDeclaredType
 */
export type ScheduleConfig = (typeof SCHEDULES)[number];

/** Hyperparameters of one training stage. */
export interface Phase {
  readonly epochs: number;
  readonly optimizer: AdamConfig | SgdConfig;
  /** Learning rate over the epochs. */
  readonly schedule: ScheduleConfig;
}

/** What a stage trains: a net with a head, or an audio and a video net with a fusion net. */
export type StageModel =
  | { readonly kind: 'single'; readonly net: string; readonly head: HeadKind }
  | {
      readonly kind: 'joint';
      readonly audio: string;
      readonly video: string;
      readonly fusion: FusionKind;
    };

export interface StageSpec extends Phase {
  /** Names the stage in records and files: letters, digits, `-` and `_`. */
  readonly id: string;
  readonly model: StageModel;
  /** Extractors that are not trained in this stage, nor are their parts of the baseline's fusion. */
  readonly freeze: readonly Modality[];
  readonly augmentation: Augmentation;
}

/** The system's result: that of one stage, or the product of the probabilities of several (late fusion). */
export type ResultSpec = string | { readonly product: readonly string[] };

/** Caps for short runs; null for none. */
export interface Limits {
  readonly stepsPerEpoch: number | null;
  /** Samples of the evaluation split that are measured: the first of a seeded order. */
  readonly evaluationSamples: number | null;
}

/** Hyperparameters of stages whose extractor has weights given on the command line. */
export interface GivenWeightsRule {
  readonly freeze: boolean;
  readonly standardize: boolean;
  readonly frozen: Phase;
  readonly trained: Phase;
}

export interface Experiment {
  readonly name: string;
  /** What it is, and which decisions it takes where the paper leaves something open. */
  readonly description: string;
  /** Seed of initial weights, order, dropout and augmentation. */
  readonly seed: number;
  /** Samples in a batch, at least 2. */
  readonly batchSize: number;
  /** Height and width of the frames in pixels, even. */
  readonly imageSize: number;
  /**
   * How activations and gradients are stored, in training and in evaluation; a device without shader-f16 takes f32. Default f32.
   */
  readonly precision: Precision;
  /** Names of the scenes, in the order of labels and logits. Default: the ten of TAU Urban Audio-Visual Scenes. */
  readonly scenes: readonly string[];
  /** Fraction of the training clips that is held out by location and measured each epoch; null: 0.1 with 500 clips or more, else 0. */
  readonly validation: number | null;
  readonly nets: Readonly<Record<string, NetSpec>>;
  /** Trained one after the other. */
  readonly stages: readonly StageSpec[];
  readonly result: ResultSpec;
  readonly limits: Limits;
  /** What changes if `train` is given weights by option; null if nothing does. */
  readonly given: GivenWeightsRule | null;
}

/** Name of the result of a product in metrics.json. */
export const ENSEMBLE = 'ensemble';

/** Key of the system's result in metrics.json. */
export const resultKey = ({ result }: Pick<Experiment, 'result'>): string =>
  typeof result === 'string' ? result : ENSEMBLE;

/** Stages whose probabilities make the result. */
export const resultStages = ({ result }: Pick<Experiment, 'result'>): readonly string[] =>
  typeof result === 'string' ? [result] : result.product;

/** Names of the nets that a stage uses, audio first. */
export const netsOf = (model: StageModel): readonly string[] =>
  model.kind === 'single' ? [model.net] : [model.audio, model.video];
