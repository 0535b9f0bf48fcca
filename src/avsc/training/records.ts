// The records of a run: one per step and per epoch, and its results at the end.

import type { Metrics } from './metrics.ts';

/** One optimizer step. Counters begin at 1. */
export interface StepRecord {
  readonly kind: 'step';
  /** Id of the stage. */
  readonly stage: string;
  readonly epoch: number;
  /** Step within the epoch. */
  readonly step: number;
  readonly lr: number;
  /** Mean cross-entropy of the batch before the step. */
  readonly loss: number;
  /** After the step, in precision f16: what the next loss is multiplied by, and the stage's steps that were skipped so far. */
  readonly lossScale?: number;
  readonly skipped?: number;
}

export interface EpochRecord {
  readonly kind: 'epoch';
  readonly stage: string;
  readonly epoch: number;
  /** Mean loss of the epoch's steps. */
  readonly loss: number;
  /** Metrics on the held-out locations; absent if none are held out. */
  readonly validation?: { readonly accuracy: number; readonly logLoss: number };
}

/** A line of metrics.jsonl. It contains no times, so that the same seed on the same device gives the same bytes. */
export type RunRecord = StepRecord | EpochRecord;

/** metrics.json: the models on the evaluation split, by stage, and `ensemble` if the result is a product of several. */
export type RunResults = Readonly<Record<string, Metrics>>;
