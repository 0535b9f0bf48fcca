// Training step and prediction of a model, each compiled once and replayed.

import { Adam } from '../../nn/optim/adam.ts';
import { Sgd } from '../../nn/optim/sgd.ts';
import type { StateDict } from '../../nn/state.ts';
import { backward, noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { crossEntropy } from '../../tensor/ops/loss.ts';
import type { LossScale } from '../../tensor/graph/loss_scale.ts';
import type { Precision } from '../../tensor/graph/recording.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { AdamConfig, SgdConfig } from '../experiment/experiment.ts';
import { feed, feedTraining, receive, type InputPlan, type SampleData, type TrainingData } from './inputs.ts';
import { logitsOf, type SceneModel } from './model.ts';

export interface Trainer {
  readonly model: SceneModel;
  /**
   * Submits one optimizer step on a batch of `count` samples, augmentation included. It resolves when the data is uploaded; its results
   * can be read until three steps later.
   */
  step(batch: TrainingData, count: number, lr: number): Promise<TrainedStep>;
  /** Moments and step count of the optimizer. */
  optimizerState(): Promise<StateDict>;
  loadOptimizerState(state: StateDict): void;
  /** The device's loss scale; null for precision f32. */
  readonly lossScale: LossScale | null;
  dispose(): void;
}

export interface TrainedStep {
  /** Before the step. */
  readonly loss: Tensor;
  /** State of the loss scale after the step, for its `decode`; null for precision f32. */
  readonly lossScale: Tensor | null;
}

/** The precision that a device has of the one wanted: f32 without shader-f16. */
export const precisionOn = (device: Device, wanted: Precision): Precision =>
  device.gpu.geometry.f16 ? wanted : 'f32';

type Optimizer = Adam | Sgd;

/**
 * Creates the optimizer over the parameters that are not frozen. The model must be on the device, which takes f32 where it lacks
 * shader-f16.
 */
export function createTrainer(
  device: Device,
  model: SceneModel,
  config: AdamConfig | SgdConfig,
  plan: InputPlan,
  wanted: Precision = 'f32',
): Trainer {
  const precision = precisionOn(device, wanted);
  const lossScale = precision === 'f16' ? device.enableLossScale() : null;
  const optimizer = createOptimizer(model, config);
  const compiled = device.compile(trainingStep(model, optimizer, plan, lossScale), { precision });
  return {
    model,
    lossScale,
    step: async (batch, count, lr) => {
      optimizer.lr = lr;
      const [loss, scale = null] = await compiled(...feedTraining(plan, batch, count));
      return { loss, lossScale: scale };
    },
    optimizerState: () => optimizer.stateDict(),
    loadOptimizerState: (state) => optimizer.loadStateDict(state),
    dispose: () => {
      compiled.dispose();
      optimizer.dispose();
    },
  };
}

/**
 * One step as a function of its inputs: augmentation, forward, loss, backward, optimizer. Gives the loss and, where it is scaled, the
 * scale's state.
 */
export function trainingStep(
  model: SceneModel,
  optimizer: Optimizer,
  plan: InputPlan,
  lossScale: LossScale | null,
): (...inputs: Tensor[]) => readonly [Tensor] | readonly [Tensor, Tensor] {
  return (...tensors) => {
    const { inputs, mix, rest } = receive(plan, tensors);
    const [labels] = rest;
    if (labels === undefined) throw new RangeError('a training step needs labels');
    model.net.train();
    optimizer.zeroGrad();
    const loss = crossEntropy(logitsOf(model, inputs, mix), labels);
    backward(loss, undefined);
    optimizer.step();
    return lossScale === null ? [loss] : [loss, lossScale.snapshot()];
  };
}

export function createOptimizer({ net }: SceneModel, config: AdamConfig | SgdConfig): Optimizer {
  const { weightDecay, learningRate: lr } = config;
  switch (config.kind) {
    case 'adam':
      return new Adam(net.parameters(), { lr, weightDecay });
    case 'sgd':
      return new Sgd(net.parameters(), { lr, weightDecay, momentum: config.momentum });
  }
}

export interface Predictor {
  /** Logits [count, classes] of a batch, with running statistics and without dropout. */
  predict(batch: SampleData, count: number): Promise<Tensor>;
  dispose(): void;
}

/** The augmentation of `plan` is not applied. */
export function createPredictor(
  device: Device,
  model: SceneModel,
  plan: InputPlan,
  wanted: Precision = 'f32',
): Predictor {
  const plain = { ...plan, augmentation: null };
  const compiled = device.compile(
    (...tensors: Tensor[]) => {
      model.net.eval();
      return noGrad(() => logitsOf(model, receive(plain, tensors).inputs));
    },
    { precision: precisionOn(device, wanted) },
  );
  return {
    predict: (batch, count) => compiled(...feed(plain, batch, count)),
    dispose: () => compiled.dispose(),
  };
}
