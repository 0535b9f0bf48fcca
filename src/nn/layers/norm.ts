import {
  checkOptions,
  checkValue,
  flag,
  fraction,
  notNegative,
  orNull,
  whole,
  type OptionKinds,
} from '../../tensor/graph/options.ts';
import { batchNorm2d } from '../../tensor/fusing_ops.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { ones, zeros } from '../init.ts';
import { Layer } from '../module.ts';
import { Parameter, Statistic } from '../parameter.ts';

export interface BatchNorm2dOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /**
   * Weight of the batch in the running statistics, 0 to 1. Default 0.1. Keras counts the other way round. Null makes them the
   * averages of all batches so far.
   */
  readonly momentum?: number | null;
  /** Learn a scale and a shift. Default true. */
  readonly affine?: boolean;
}

const BATCH_NORM_OPTIONS: OptionKinds<BatchNorm2dOptions> = {
  eps: notNegative,
  momentum: orNull(fraction),
  affine: flag,
};

/** Batch normalisation of [N, channels, H, W] or [N, channels]; after `eval()` by the running statistics. */
export class BatchNorm2d extends Layer {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Statistic;
  readonly runningVar: Statistic;
  /** Batches seen, for momentum null, which alone needs them; PyTorch counts them always. */
  readonly numBatchesTracked: Statistic | null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(channels: number, options: BatchNorm2dOptions = {}) {
    super();
    checkValue('BatchNorm2d', 'channels', channels, whole(1));
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = true,
    } = checkOptions('BatchNorm2d', options, BATCH_NORM_OPTIONS);
    this.weight = affine ? new Parameter([channels], ones) : null;
    this.bias = affine ? new Parameter([channels], zeros) : null;
    this.runningMean = new Statistic([channels], zeros);
    this.runningVar = new Statistic([channels], ones);
    this.numBatchesTracked = momentum === null ? new Statistic([], zeros) : null;
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
      numBatchesTracked: this.numBatchesTracked?.tensor ?? null,
      eps: this.eps,
    });
  }
}
