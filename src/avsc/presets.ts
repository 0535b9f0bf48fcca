import { constant, cosine, cosineWarmRestarts, type Schedule } from '../nn/schedule.ts';
import { DENSENET161, type DenseNetConfig } from './models/densenet.ts';
import type { FcnnConfig } from './models/fcnn.ts';

export interface AdamConfig {
  readonly kind: 'adam';
  readonly learningRate: number;
  /** Added to the gradient as L2 regularisation, as in PyTorch's Adam. */
  readonly weightDecay: number;
}

export interface SgdConfig {
  readonly kind: 'sgd';
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

export type ScheduleConfig = 'constant' | 'cosine' | 'warmRestarts';

/** Hyperparameters of one training stage. */
export interface Phase {
  readonly epochs: number;
  readonly optimizer: AdamConfig | SgdConfig;
  /** Learning rate over the epochs. */
  readonly schedule: ScheduleConfig;
}

export interface Preset {
  readonly audio: FcnnConfig;
  readonly video: DenseNetConfig;
  /** Height and width of the frames, in pixels. */
  readonly imageSize: number;
  /** One-second samples in a batch. */
  readonly batchSize: number;
  /** Training of the audio and the video net, then of the joint net, which begins with their extractors. */
  readonly phases: { readonly audio: Phase; readonly video: Phase; readonly joint: Phase };
  /** Whether embeddings of a published net, used as an extractor, are standardised before they are classified. */
  readonly standardise: boolean;
  /** Training with given weights, where it differs; null if it does not. */
  readonly given: {
    /** Whether they are frozen unless the command says otherwise. */
    readonly freeze: boolean;
    /** The phase of a stage whose extractor has given weights: frozen, and trained further. */
    readonly frozen: Phase;
    readonly trained: Phase;
  } | null;
}

/**
 * The paper's: FCNN with 512 features, 12.3 M parameters, 2.93 GFLOP forward for a second of sound; DenseNet161, which begins
 * with weights of Places365, 26.5 M parameters, 30.9 GFLOP for the two frames of a second. Joint training by Adam at
 * 1e-5 with weight decay 1e-5 and batches of 32. The audio net as the same group published it: SGD with warm restarts over
 * 126 epochs. Decision, since the paper does not say: 20 epochs for video and joint.
 */
const paper: Preset = {
  audio: { features: 512 },
  video: DENSENET161,
  imageSize: 224,
  batchSize: 32,
  phases: {
    audio: {
      epochs: 126,
      optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0.9, weightDecay: 0 },
      schedule: 'warmRestarts',
    },
    video: {
      epochs: 20,
      optimizer: { kind: 'adam', learningRate: 1e-5, weightDecay: 1e-5 },
      schedule: 'constant',
    },
    joint: {
      epochs: 20,
      optimizer: { kind: 'adam', learningRate: 1e-5, weightDecay: 1e-5 },
      schedule: 'constant',
    },
  },
  standardise: false,
  given: null,
};

/** Heads on frozen extractors. Their steps cost little, so there are many. */
const probe: Phase = {
  epochs: 20,
  optimizer: { kind: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
  schedule: 'cosine',
};

/** Extractors with given weights are trained further at a low learning rate. */
const fineTuning: Phase = {
  epochs: 4,
  optimizer: { kind: 'adam', learningRate: 1e-4, weightDecay: 1e-5 },
  schedule: 'cosine',
};

/**
 * The same nets so narrow that a software adapter trains them in minutes: FCNN 44 k parameters, 12.0 MFLOP forward for a
 * second of sound; DenseNet 44 k parameters, 15.5 MFLOP for the two frames of a second.
 *
 * Decision: weights that are given (`--video-weights`) stay frozen here, since a full-size net takes a CPU hours to train
 * and minutes to run once over the data; what is trained is a probe of its embeddings. `--freeze none` trains them. Batch norm
 * without scale and shift goes before the heads: embeddings of different nets differ in size by powers of ten (0.1 for the
 * SqueezeNet's), which would leave the fusion net's steps to the audio net. The paper freezes and standardises nothing.
 */
const small: Preset = {
  audio: { features: 64, widths: [8, 16, 32], dropout: 0, normMomentum: 0.1 },
  video: { growthRate: 12, blocks: [2, 2, 2], stem: 16 },
  imageSize: 48,
  batchSize: 16,
  phases: {
    audio: {
      epochs: 4,
      optimizer: { kind: 'adam', learningRate: 3e-3, weightDecay: 1e-5 },
      schedule: 'cosine',
    },
    video: {
      epochs: 4,
      optimizer: { kind: 'adam', learningRate: 3e-3, weightDecay: 1e-5 },
      schedule: 'cosine',
    },
    joint: {
      epochs: 3,
      optimizer: { kind: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
      schedule: 'cosine',
    },
  },
  standardise: true,
  given: {
    freeze: true,
    frozen: probe,
    trained: fineTuning,
  },
};

export const PRESETS = { paper, small } as const;

export type PresetName = keyof typeof PRESETS;

/** Learning rate of a phase over time in epochs. */
export function scheduleOf({ epochs, optimizer: { learningRate }, schedule }: Phase): Schedule {
  switch (schedule) {
    case 'constant':
      return constant(learningRate);
    case 'cosine':
      return cosine(learningRate, { length: epochs });
    case 'warmRestarts':
      return cosineWarmRestarts(learningRate);
  }
}
