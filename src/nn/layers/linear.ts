import { checkOptions, checkValue, flag, fn, whole, type OptionKinds } from '../../tensor/graph/options.ts';
import { linear } from '../../tensor/ops/matmul.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { kaimingUniform, uniform } from '../init.ts';
import { Layer } from '../module.ts';
import { Parameter, type Init } from '../parameter.ts';

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** How the weights are made; by default PyTorch's way, uniform in +-1/sqrt(inFeatures). */
  readonly init?: Init;
}

const LINEAR_OPTIONS: OptionKinds<LinearOptions> = { bias: flag, init: fn };

/**
 * y = x weight^T + bias from [..., inFeatures] to [..., outFeatures]; weight is [outFeatures, inFeatures]. Throws a RangeError
 * or a TypeError for sizes and options that are none.
 */
export class Linear extends Layer {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkValue('Linear', 'inFeatures', inFeatures, whole(1));
    checkValue('Linear', 'outFeatures', outFeatures, whole(1));
    const { bias = true, init = kaimingUniform } = checkOptions('Linear', options, LINEAR_OPTIONS);
    this.weight = new Parameter([outFeatures, inFeatures], init);
    this.bias = bias ? new Parameter([outFeatures], uniform(1 / Math.sqrt(inFeatures))) : null;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight.tensor, this.bias?.tensor ?? null);
  }
}
