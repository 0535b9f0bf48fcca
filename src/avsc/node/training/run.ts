// What stays the same throughout a run, and the callbacks during it.

import type { Device } from '../../../tensor/device.ts';
import type { Modality } from '../../models/joint.ts';
import type { EpochRecord } from '../../training/records.ts';
import type { PreparedClip } from '../data/prepare.ts';
import type { SpaceEstimate } from '../data/space.ts';
import type { RunFolder, runFiles } from '../runs/folder.ts';
import type { LineLog } from '../runs/line-log.ts';
import type { MeasureContext } from '../runs/measure.ts';
import { modelsOfRun } from '../runs/trained.ts';
import type { SharedStages } from './shared-stages.ts';

export interface TrainingClips {
  readonly train: readonly PreparedClip[];
  /** Clips measured after each epoch; may be empty. */
  readonly validation: readonly PreparedClip[];
  /** Clips measured at the end. */
  readonly evaluate: readonly PreparedClip[];
}

/** Callbacks during a training. */
export interface TrainingEvents {
  /** `done` of `total` extra clips are made. */
  onExtras?(done: number, total: number): void;
  /** Disk space that clips still to be made take. */
  onEstimate?(estimate: SpaceEstimate): void;
  /** The model has `parameters` elements, `trained` of which are not frozen. */
  onStage?(
    stage: string,
    size: { readonly steps: number; readonly parameters: number; readonly trained: number },
  ): void;
  /** Another run has trained the same stage already, and its weights are taken. */
  onShared?(stage: string): void;
  /** `done` of `total` seconds are embedded by a frozen extractor. */
  onEmbedding?(part: Modality, done: number, total: number): void;
  /** `done` of the stage's steps are finished. */
  onStep?(done: number, loss: number): void;
  onEpoch?(record: EpochRecord): void;
  onStageEnd?(): void;
  onEvaluation?(stage: string): void;
  /** The device has no shader-f16, so a run of precision f16 takes f32. */
  onNoHalves?(device: string): void;
  /** The device was lost, `times` in a row without progress, and is opened again. */
  onDeviceLost?(reason: GPUDeviceLostReason, times: number): void;
}

export interface TrainingOptions {
  readonly folder: RunFolder;
  readonly clips: TrainingClips;
  /** Folder of the prepared clips. */
  readonly cache: string;
  /** Called after the seed is set, because a device takes its seed when it is created; and again when the device was lost. */
  readonly openDevice: () => Promise<Device>;
  /** Resumes from the folder's checkpoint, if it has one. */
  readonly resume: boolean;
  /** Steps between two checkpoints, in addition to the one after each epoch. */
  readonly saveEvery: number;
  readonly signal: AbortSignal;
  readonly events?: TrainingEvents;
  /** Stages that runs have in common; null if they are not shared. */
  readonly shared?: SharedStages | null;
  /** Models that are measured at the end: all of them (default), or those of the result. */
  readonly measure?: 'all' | 'result';
}

export interface Run extends Omit<TrainingOptions, 'openDevice' | 'resume' | 'events'> {
  readonly device: Device;
  readonly files: ReturnType<typeof runFiles>;
  readonly log: LineLog;
  readonly timings: LineLog;
  readonly events: TrainingEvents;
  /** Called when a checkpoint is written. */
  readonly onSave: () => void;
}

/** What predictions and embeddings need of a run. */
export const measureContext = ({ device, folder, cache, signal, events }: Run): MeasureContext => ({
  device,
  trained: modelsOfRun(folder),
  cache,
  signal,
  onEmbedding: (...args) => events.onEmbedding?.(...args),
});
