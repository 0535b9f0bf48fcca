// What a run writes down: one record per step and per epoch, and its results at the end.

import type { Metrics } from './metrics.ts';

/** The parts of a training, in order: either net alone with a linear head, then both with the fusion MLP. */
export const STAGES = ['audio', 'video', 'joint'] as const;
export type Stage = (typeof STAGES)[number];

/** One optimiser step. Counters begin at 1. */
export interface StepRecord {
  readonly kind: 'step';
  readonly stage: Stage;
  readonly epoch: number;
  /** Within the epoch. */
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
  /** On clips of locations that are not trained on; absent where none are held out. */
  readonly validation?: { readonly accuracy: number; readonly logLoss: number };
}

/** A line of metrics.jsonl. No times in it: the same seed on the same device gives the same bytes. */
export type RunRecord = StepRecord | EpochRecord;

/** metrics.json: each of the three models on the evaluation split. */
export type RunResults = Readonly<Record<Stage, Metrics>>;
