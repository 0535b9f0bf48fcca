import { dropout } from '../../tensor/ops/random.ts';
import { leakyRelu, relu } from '../../tensor/ops/unary.ts';
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

  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }
}

/** While training, zeroes elements with probability p and scales the others by 1 / (1 - p). */
export class Dropout extends Layer {
  readonly p: number;

  /** Throws a RangeError unless 0 <= p < 1. */
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p < 1)) throw new RangeError(`Dropout: p must be at least 0 and below 1, got ${p}`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return this.training && this.p > 0 ? dropout(x, { p: this.p, training: true }) : x;
  }
}

/** [N, ...] to [N, product of the rest]. */
export class Flatten extends Layer {
  forward(x: Tensor): Tensor {
    const [batch = 1, ...rest] = x.shape;
    return x.reshape([batch, rest.reduce((product, size) => product * size, 1)]);
  }
}

/** Gives what it gets; stands where a net may have no layer. */
export class Identity extends Layer {
  forward(x: Tensor): Tensor {
    return x;
  }
}
