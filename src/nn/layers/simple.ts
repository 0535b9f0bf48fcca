import { namedFirst, number } from '../../tensor/graph/options.ts';
import { flatten, flattenOptions, type FlattenOptions } from '../../tensor/ops/movement.ts';
import { dropout } from '../../tensor/ops/random.ts';
import { leakyRelu, negativeSlopeOf, relu, type LeakyReluOptions } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Layer } from '../module.ts';

/** max(0, x) */
export class ReLU extends Layer {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** x where positive, negativeSlope * x elsewhere. */
export class LeakyReLU extends Layer {
  readonly negativeSlope: number;

  constructor(negativeSlope?: number | LeakyReluOptions) {
    super();
    this.negativeSlope = negativeSlopeOf('LeakyReLU', negativeSlope);
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }
}

const BELOW_1 = number('of at least 0 and below 1', (p) => p >= 0 && p < 1);

/** While training, zeroes elements with probability p and scales the others by 1 / (1 - p). */
export class Dropout extends Layer {
  readonly p: number;

  /** Throws a RangeError unless 0 <= p < 1. */
  constructor(p?: number | { readonly p?: number }) {
    super();
    const options = namedFirst<{ readonly p?: number }>('Dropout', 'p', p, undefined, { p: BELOW_1 });
    this.p = options.p ?? 0.5;
  }

  forward(x: Tensor): Tensor {
    return this.training && this.p > 0 ? dropout(x, { p: this.p, training: true }) : x;
  }
}

/** Merges dimensions startDim to endDim, by default [N, ...] to [N, product of the rest]. */
export class Flatten extends Layer {
  readonly #options: FlattenOptions;

  constructor(startDim?: number | FlattenOptions, endDim?: number) {
    super();
    const { startDim: first = 1, endDim: last = -1 } = flattenOptions('Flatten', startDim, endDim);
    this.#options = { startDim: first, endDim: last };
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.#options);
  }
}

/** Gives what it gets; stands where a net may have no layer. */
export class Identity extends Layer {
  forward(x: Tensor): Tensor {
    return x;
  }
}
