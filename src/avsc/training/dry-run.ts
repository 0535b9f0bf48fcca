// What an experiment would do on a device that is not there: plans of its training steps, without data.

import { manualSeed } from '../../tensor/graph/random.ts';
import { PlanningDevice } from '../../tensor/planning_device.ts';
import type { PlanStatistics } from '../../tensor/plan/statistics.ts';
import type { PlanTarget } from '../../tensor/plan/target.ts';
import { dtypeOfArray, type TypedArray } from '../../tensor/graph/dtype.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { InputSpec, StepInput } from '../../tensor/trace.ts';
import { SCENES } from '../dataset/scenes.ts';
import { SOUND_INPUTS } from '../features/inputs.ts';
import { elementCount } from '../../tensor/graph/shape.ts';
import type { Experiment, StageSpec } from '../experiment/experiment.ts';
import { feedTraining, type InputPlan, type TrainingData } from './inputs.ts';
import { createModel, freezeParts, type SceneModel } from './model.ts';
import { createOptimizer, trainingStep } from './trainer.ts';

/** Ceilings of a device for an estimate. */
export interface DeviceCeilings {
  readonly gflops: number;
  readonly gBps: number;
  /** Where the numbers are from. */
  readonly source: string;
}

/** Datasheets for hardware; measured for the software adapters, on 2 cores. */
export const CEILINGS: Readonly<Record<string, DeviceCeilings>> = {
  h100: { gflops: 66_900, gBps: 3_350, source: 'data sheet of the SXM5 card, f32 without tensor cores' },
  phone: { gflops: 1_000, gBps: 50, source: 'order of magnitude of a phone of 2023' },
  lavapipe: { gflops: 120, gBps: 5, source: 'measured on 2 cores by bench kernels' },
  swiftshader: { gflops: 18, gBps: 3, source: 'measured on 2 cores by bench kernels' },
};

export interface StagePlan {
  readonly stage: string;
  readonly parameters: number;
  readonly trained: number;
  readonly steps: number;
  readonly plan: PlanStatistics;
  /** Time of a step if every dispatch ran at the device's ceilings, in ms; null if they are not known. */
  readonly floorMilliseconds: number | null;
}

interface DryRunOptions {
  readonly target: PlanTarget;
  readonly ceilings: DeviceCeilings | undefined;
  readonly inputs: InputPlan;
  /** Steps of the stage. */
  readonly steps: number;
  /** Rows that a batch has beside its samples, for mixup. */
  readonly partnerRows: number;
}

/** Plans a training step of a stage. Throws a RangeError where a tensor is too large for the device. */
export function planStage(experiment: Experiment, stage: StageSpec, options: DryRunOptions): StagePlan {
  const { target, ceilings, inputs, steps, partnerRows } = options;
  manualSeed(experiment.seed);
  const device = new PlanningDevice(target);
  const model = createModel(experiment, stage);
  freezeParts(model, stage);
  model.net.to(device).train();
  const step = trainingStep(model, createOptimizer(model, stage.optimizer), inputs);
  const { batchSize, imageSize } = experiment;
  const specs = feedTraining(
    inputs,
    emptyBatch(inputs, batchSize, partnerRows, imageSize, model),
    batchSize,
  ).map(specOf);
  let floor = 0;
  const plan = device.plan(step, specs, {
    onPlan: ({ dispatches }) => {
      for (const { flops, bytes } of dispatches)
        floor += ceilings === undefined ? 0 : Math.max(flops / ceilings.gflops, bytes / ceilings.gBps) / 1e6;
    },
  });
  const parameters = model.net.parameters();
  const count = (list: typeof parameters): number => list.reduce((sum, { numel }) => sum + numel, 0);
  return {
    stage: stage.id,
    parameters: count(parameters),
    trained: count(parameters.filter(({ requiresGrad }) => requiresGrad)),
    steps,
    plan,
    floorMilliseconds: ceilings === undefined ? null : floor,
  };
}

/** A batch of zeros, for the shapes and types of the step's inputs. */
function emptyBatch(
  { parts, augmentation }: InputPlan,
  count: number,
  partnerRows: number,
  size: number,
  { net }: SceneModel,
): TrainingData {
  const mixes = (augmentation?.mixup ?? null) !== null;
  const rows = count + (mixes ? partnerRows : 0);
  const inputs: Record<string, Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> = {};
  const embeddings: Partial<Record<'audio' | 'video', Float32Array<ArrayBuffer>>> = {};
  for (const { part, from } of parts) {
    if (from === 'embeddings') embeddings[part] = new Float32Array(rows * featuresOf(net, part));
    else if (from === 'frames') inputs[from] = new Uint8Array(rows * 2 * 3 * size * size);
    else inputs[from] = new Float32Array(rows * elementCount(SOUND_INPUTS[from]));
  }
  return {
    inputs: inputs as TrainingData['inputs'],
    embeddings,
    epoch: 1,
    labels: new Float32Array(count * SCENES.length),
    keys: new Array<null>(rows).fill(null),
    mix: mixes ? { partner: new Int32Array(count), ratio: new Float32Array(count) } : null,
  };
}

function featuresOf(net: SceneModel['net'], part: 'audio' | 'video'): number {
  const extractor = part === 'audio' && 'audio' in net ? net.audio : 'video' in net ? net.video : null;
  if (extractor === null) throw new Error(`the model has no ${part} extractor`);
  return extractor.outFeatures;
}

function specOf(input: StepInput): InputSpec {
  const { data, shape } = input as { data: TypedArray; shape: Shape };
  return { shape, dtype: dtypeOfArray(data) };
}
