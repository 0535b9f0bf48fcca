// The records of a run: one per step and per epoch, and its results at the end.

import type { Metrics } from './metrics.ts';

/** The stages of a training, in order: the audio net, then the video net, each with a linear head, then both with the fusion MLP. */
export const STAGES = ['audio', 'video', 'joint'] as const;
export type Stage = (typeof STAGES)[number];

/** One optimiser step. Counters begin at 1. */
interface StepRecord {
  readonly kind: 'step';
  readonly stage: Stage;
  readonly epoch: number;
  /** Step within the epoch. */
  readonly step: number;
  readonly lr: number;
  /** Mean cross-entropy of the batch before the step. */
  readonly loss: number;
}

export interface EpochRecord {
  readonly kind: 'epoch';
  readonly stage: Stage;
  readonly epoch: number;
  /** Mean loss of the epoch's steps. */
  readonly loss: number;
  /** Metrics on the held-out locations; absent if none are held out. */
  readonly validation?: { readonly accuracy: number; readonly logLoss: number };
}

/** A line of metrics.jsonl. It contains no times, so that the same seed on the same device gives the same bytes. */
export type RunRecord = StepRecord | EpochRecord;

/** metrics.json: each of the three models on the evaluation split. */
export type RunResults = Readonly<Record<Stage, Metrics>>;
