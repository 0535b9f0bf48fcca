// What a report shows: plain JSON, so that a report can be made again from a stored run.

import type { Metrics } from '../../training/metrics.ts';

/** One training run. A stage's id is also the id of the model that it trains; `results` may hold further models, such as 'ensemble'. */
export interface RunReport {
  readonly title: string;
  readonly description: string;
  readonly data: string;
  readonly device: string;
  /** ISO date. */
  readonly finished: string;
  readonly stages: readonly StageSummary[];
  /** The id of the model whose result is the system's result. */
  readonly final: string;
  /** Names of the scenes, in the order of probabilities. */
  readonly scenes: readonly string[];
  /** In the order in which they were taken. */
  readonly steps: readonly ReportStep[];
  readonly epochs: readonly ReportEpoch[];
  readonly timings: readonly EpochTiming[];
  /** Metrics on the evaluation split, by the model's id. */
  readonly results: Readonly<Record<string, Metrics>>;
  readonly examples: readonly Example[];
  readonly augmentations: readonly Augmentation[];
  /** Shown as JSON. */
  readonly experiment: unknown;
}

interface StageSummary {
  readonly id: string;
  /** Such as 'FCNN on log-mel, linear head'. */
  readonly what: string;
  /** Elements of all parameters, and of those that are not frozen. */
  readonly parameters: number;
  readonly trained: number;
}

export interface ReportStep {
  readonly stage: string;
  readonly epoch: number;
  /** Step within the epoch, from 1. */
  readonly step: number;
  readonly lr: number;
  readonly loss: number;
}

interface ReportEpoch {
  readonly stage: string;
  readonly epoch: number;
  /** Mean loss of the epoch's steps. */
  readonly loss: number;
  readonly validation?: { readonly accuracy: number; readonly logLoss: number };
}

export interface EpochTiming {
  readonly stage: string;
  readonly epoch: number;
  readonly seconds: number;
  readonly steps: number;
  /** Seconds spent waiting for data. */
  readonly waiting: number;
}

/** One evaluated sample with its inputs as pictures (data: URIs of images). */
export interface Example {
  readonly clip: string;
  readonly second: number;
  readonly truth: string;
  /** Probabilities of the scenes in the report's order, by the model's id. */
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
  readonly frames: readonly string[];
  /** '' if the nets hear nothing. */
  readonly spectrogram: string;
  readonly kind: 'right' | 'wrong';
}

/** Inputs before and after an augmentation: data: URIs of pictures or spectrograms, as many after as before. */
export interface Augmentation {
  readonly name: string;
  readonly what: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** One table of the paper beside our numbers, or a table of our own. */
export interface TableReport {
  readonly table: string;
  readonly title: string;
  readonly what: string;
  readonly data: string;
  readonly device: string;
  readonly scale: 'smoke' | 'full';
  /** ISO date. */
  readonly finished: string;
  /** In the paper's order. */
  readonly rows: readonly TableReportRow[];
}

export interface TableReportRow {
  readonly id: string;
  readonly label: string;
  /** The paper's accuracy in %; null for a row that the paper does not have. */
  readonly paper: number | null;
  readonly status: 'done' | 'failed' | 'quoted' | 'waiting';
  /** Our accuracy, 0..1: the mean over the seeds. */
  readonly accuracy: number | null;
  /** Our accuracy by each seed. */
  readonly accuracies: readonly number[];
  readonly logLoss: number | null;
  readonly seconds: number | null;
  readonly note: string;
  /** Relative link to the report of the row's run. */
  readonly report: string | null;
  /** Whether the system is known from its publication, reconstructed by us, or quoted and not run. */
  readonly published: 'published' | 'reconstructed' | 'quoted' | null;
}
