// Training step and prediction of a model, each compiled once and replayed.

import { Adam } from '../../nn/optim/adam.ts';
import { Sgd } from '../../nn/optim/sgd.ts';
import type { StateDict } from '../../nn/state.ts';
import { backward, noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { crossEntropy } from '../../tensor/ops/loss.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { AdamConfig, SgdConfig } from '../presets.ts';
import { inputsOf, logitsOf, type SampleData, type SceneModel } from './model.ts';

export interface Trainer {
  readonly model: SceneModel;
  /**
   * Submits one optimiser step on a batch of `count` samples with soft labels [count, classes]. It resolves when the data
   * is uploaded, to the loss before the step, which can be read until three steps later.
   */
  step(
    batch: SampleData & { readonly labels: Float32Array<ArrayBuffer> },
    count: number,
    lr: number,
  ): Promise<Tensor>;
  /** Moments and step count of the optimiser. */
  optimizerState(): Promise<StateDict>;
  loadOptimizerState(state: StateDict): void;
  dispose(): void;
}

/** Creates the optimiser over the parameters that are not frozen. The model must be on the device. */
export function createTrainer(device: Device, model: SceneModel, config: AdamConfig | SgdConfig): Trainer {
  const optimizer = createOptimizer(model, config);
  const compiled = device.compile((...inputs: Tensor[]) => {
    const labels = inputs.at(-1) as Tensor;
    model.net.train();
    optimizer.zeroGrad();
    const loss = crossEntropy(logitsOf(model, inputs.slice(0, -1)), labels);
    backward(loss, undefined);
    optimizer.step();
    return loss;
  });
  return {
    model,
    step: (batch, count, lr) => {
      optimizer.lr = lr;
      const labels = { data: batch.labels, shape: [count, batch.labels.length / count] };
      return compiled(...inputsOf(model.stage, batch, count), labels);
    },
    optimizerState: () => optimizer.stateDict(),
    loadOptimizerState: (state) => optimizer.loadStateDict(state),
    dispose: () => {
      compiled.dispose();
      optimizer.dispose();
    },
  };
}

function createOptimizer({ net }: SceneModel, config: AdamConfig | SgdConfig): Adam | Sgd {
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

export function createPredictor(device: Device, model: SceneModel): Predictor {
  const compiled = device.compile((...inputs: Tensor[]) => {
    model.net.eval();
    return noGrad(() => logitsOf(model, inputs));
  });
  return {
    predict: (batch, count) => compiled(...inputsOf(model.stage, batch, count)),
    dispose: () => compiled.dispose(),
  };
}
