// What an experiment would do on a device that is not there: plans of its training steps, without data.

import { manualSeed } from '../../tensor/graph/random.ts';
import { PlanningDevice } from '../../tensor/planning_device.ts';
import type { PlanStatistics } from '../../tensor/plan/statistics.ts';
import type { Target } from '../../gpu/profile.ts';
import { dtypeOfArray, type TypedArray } from '../../tensor/graph/dtype.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { InputSpec, StepInput } from '../../tensor/trace.ts';
import type { Experiment, StageSpec } from '../experiment/experiment.ts';
import { exampleBatch } from './example-batch.ts';
import { feedTraining, type InputPlan } from './inputs.ts';
import { createModel, freezeParts } from './model.ts';
import { createOptimizer, trainingStep } from './trainer.ts';

/** Ceilings of a device for an estimate. */
interface DeviceCeilings {
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
  readonly target: Target;
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
  const precision = target.geometry.f16 ? experiment.precision : 'f32';
  const lossScale = precision === 'f16' ? device.enableLossScale() : null;
  const step = trainingStep(model, createOptimizer(model, stage.optimizer), inputs, lossScale);
  const { batchSize } = experiment;
  const specs = feedTraining(inputs, exampleBatch(inputs, model, batchSize, partnerRows), batchSize).map(
    specOf,
  );
  let floor = 0;
  const plan = device.plan(step, specs, {
    precision,
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

function specOf(input: StepInput): InputSpec {
  const { data, shape } = input as { data: TypedArray; shape: Shape };
  return { shape, dtype: dtypeOfArray(data) };
}
