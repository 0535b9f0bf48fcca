import type { SampleData } from '../../training/inputs.ts';
import type { Metrics } from '../../training/metrics.ts';
import type { Modality } from '../../models/joint.ts';

/** One second of a place as plain data, which a program may keep: what the nets' extractors make of it, and what they made it of. */
export interface TaughtSecond {
  /** [outFeatures] of each extractor. */
  readonly embeddings: Readonly<Partial<Record<Modality, Float32Array<ArrayBuffer>>>>;
  /** Inputs of the extractors, from which augmentation makes others: sound f32, frames RGB bytes [2, 3, S, S]. */
  readonly inputs: SampleData['inputs'];
}

/** A place to be learned. */
export interface TaughtPlace {
  /** 1 to 100 characters. */
  readonly name: string;
  /** The seconds of each recording, in their order. */
  readonly recordings: readonly (readonly TaughtSecond[])[];
}

export interface TeachOptions {
  /** Of initial weights, order and augmentation, 0 to 2^32 - 1. Default 1. */
  readonly seed?: number;
  /** Optimizer steps. Default 300. */
  readonly steps?: number;
  /** Seconds in a step. Default 16. */
  readonly batchSize?: number;
  /** Of Adam. Default 1e-3. */
  readonly learningRate?: number;
  /** The paper's joint mixup: 20 % of the seconds are mixed with others, embeddings and labels by one ratio of Beta(0.4, 0.4). Default false. */
  readonly mixup?: boolean;
  /**
   * RandAugment of the frames, SpecAugment and channel confusion of the log-mel features, as in the paper. Default false. Each training
   * second gets `copies` augmented versions, which are embedded before the first step; an epoch takes the original or one of them, in turn.
   */
  readonly augmentation?: boolean;
  /** Augmented versions of each training second. Default 4. */
  readonly copies?: number;
  /** Begin with the head of the loaded model, which must be of the same places. Default false: a new head. */
  readonly resume?: boolean;
  /** Steps between reports. Default 10. */
  readonly every?: number;
  /** Called with the augmented seconds that are embedded, of those that there will be. */
  readonly onAugmented?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What `SceneTraining.steps` gives. */
export interface TeachProgress {
  /** Steps taken. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the steps since the last report. */
  readonly loss: number;
  /** On the seconds that are held out; null if there are none. */
  readonly heldOut: Metrics | null;
}
