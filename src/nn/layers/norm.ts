import { batchNorm2d } from '../../tensor/ops/norm.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { ones, zeros } from '../init.ts';
import { Layer } from '../module.ts';
import { Parameter, Statistic } from '../parameter.ts';

export interface BatchNorm2dOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Weight of the batch in the running statistics, 0 to 1. Default 0.1. Keras counts the other way round. */
  readonly momentum?: number;
  /** Learn a scale and a shift. Default true. */
  readonly affine?: boolean;
}

/** Batch normalisation of [N, channels, H, W] or [N, channels]; after `eval()` by the running statistics. */
export class BatchNorm2d extends Layer {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Statistic;
  readonly runningVar: Statistic;
  readonly eps: number;
  readonly momentum: number;

  constructor(channels: number, options: BatchNorm2dOptions = {}) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true } = options;
    this.weight = affine ? new Parameter([channels], ones) : null;
    this.bias = affine ? new Parameter([channels], zeros) : null;
    this.runningMean = new Statistic([channels], zeros);
    this.runningVar = new Statistic([channels], ones);
    this.eps = eps;
    this.momentum = momentum;
  }

  forward(x: Tensor): Tensor {
    return batchNorm2d(x, {
      weight: this.weight?.tensor ?? null,
      bias: this.bias?.tensor ?? null,
      runningMean: this.runningMean.tensor,
      runningVar: this.runningVar.tensor,
      training: this.training,
      momentum: this.momentum,
      eps: this.eps,
    });
  }
}
