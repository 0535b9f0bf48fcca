import { checkValue, flag, fn, whole, wholePair } from '../../tensor/graph/options.ts';
import { checkConv2dOptions, conv2d, type Conv2dOptions } from '../../tensor/ops/conv.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { fanInOf, kaimingUniform, uniform } from '../init.ts';
import { Layer } from '../module.ts';
import { Parameter, type Init } from '../parameter.ts';

export interface Conv2dLayerOptions extends Conv2dOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** How the kernels are made; by default PyTorch's way, uniform in +-1/sqrt(fan in). */
  readonly init?: Init;
}

/**
 * Convolution of [N, inChannels, H, W] with kernels [outChannels, inChannels / groups, kH, kW] (in PyTorch's sense,
 * without flipping them). Throws a RangeError if groups do not divide the channels, and for sizes and options that are none.
 */
export class Conv2d extends Layer {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly #options: Conv2dOptions;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    options: Conv2dLayerOptions = {},
  ) {
    super();
    checkConv2dOptions('Conv2d', options, { bias: flag, init: fn });
    checkValue('Conv2d', 'inChannels', inChannels, whole(1));
    checkValue('Conv2d', 'outChannels', outChannels, whole(1));
    checkValue('Conv2d', 'kernelSize', kernelSize, wholePair(1));
    const { bias = true, init = kaimingUniform, ...rest } = options;
    const [height, width] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
    const groups = options.groups ?? 1;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new RangeError(
        `Conv2d: ${groups} groups do not divide ${inChannels} and ${outChannels} channels`,
      );
    }
    const shape = [outChannels, inChannels / groups, height, width];
    this.weight = new Parameter(shape, init);
    this.bias = bias ? new Parameter([outChannels], uniform(1 / Math.sqrt(fanInOf(shape)))) : null;
    this.#options = rest;
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight.tensor, this.bias?.tensor ?? null, this.#options);
  }
}
