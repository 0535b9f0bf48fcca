// A training step of a stage on made-up samples, for measurements that need no data.

import { partnerRows } from '../augment/mixup.ts';
import type { Experiment, StageSpec } from '../experiment/experiment.ts';
import type { CompiledFunction } from '../../tensor/compile.ts';
import type { Device } from '../../tensor/device.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { exampleBatch } from './example-batch.ts';
import { feedTraining } from './inputs.ts';
import { createModel, freezeParts } from './model.ts';
import { inputPlan } from './plan.ts';
import { createOptimizer, precisionOn, trainingStep } from './trainer.ts';

interface ExampleStep {
  readonly step: CompiledFunction<readonly Tensor[]>;
  dispose(): void;
}

/** Runs one step of the stage on a model of its own with random weights. The step's plan is that of a training. */
export async function runExampleStep(
  device: Device,
  experiment: Experiment,
  stage: StageSpec,
): Promise<ExampleStep> {
  const model = createModel(experiment, stage);
  freezeParts(model, stage);
  model.net.to(device).train();
  const plan = inputPlan(experiment, stage, 'training');
  const optimizer = createOptimizer(model, stage.optimizer);
  const precision = precisionOn(device, experiment.precision);
  const lossScale = precision === 'f16' ? device.enableLossScale() : null;
  const step = device.compile(trainingStep(model, optimizer, plan, lossScale), { precision });
  const { batchSize } = experiment;
  const { mixup } = stage.augmentation;
  const partners = mixup === null ? 0 : partnerRows(batchSize, mixup.share);
  await step(...feedTraining(plan, exampleBatch(plan, model, batchSize, partners), batchSize));
  await device.sync();
  return {
    step,
    dispose: () => {
      step.dispose();
      optimizer.dispose();
      model.net.dispose();
    },
  };
}
