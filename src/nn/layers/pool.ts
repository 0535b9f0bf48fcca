import { adaptiveAvgPool2d, avgPool2d } from '../../tensor/fusing_ops.ts';
import {
  avgPoolOptions,
  maxPool2d,
  maxPoolOptions,
  outputSizeOf,
  type AdaptivePoolOptions,
  type AvgPoolOptions,
  type MaxPoolOptions,
  type PerAxis,
} from '../../tensor/ops/pool.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Layer } from '../module.ts';

/** Maximum of each window of [N, C, H, W]; the stride is the window's size by default. */
export class MaxPool2d extends Layer {
  readonly #options: MaxPoolOptions;

  constructor(kernelSize: PerAxis | MaxPoolOptions, options?: Omit<MaxPoolOptions, 'kernelSize'>) {
    super();
    this.#options = maxPoolOptions('MaxPool2d', kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#options);
  }
}

/** Mean of each window of [N, C, H, W]; the stride is the window's size by default. */
export class AvgPool2d extends Layer {
  readonly #options: AvgPoolOptions;

  constructor(kernelSize: PerAxis | AvgPoolOptions, options?: Omit<AvgPoolOptions, 'kernelSize'>) {
    super();
    this.#options = avgPoolOptions('AvgPool2d', kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.#options);
  }
}

/** Means over windows that divide [N, C, H, W] into `outputSize` rows and columns. */
export class AdaptiveAvgPool2d extends Layer {
  readonly outputSize: PerAxis;

  constructor(outputSize: PerAxis | AdaptivePoolOptions) {
    super();
    this.outputSize = outputSizeOf('AdaptiveAvgPool2d', outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}
