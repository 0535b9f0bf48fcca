import { Layer } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { mean } from '../../tensor/ops/reduce.ts';

/** A net from an input to embeddings [N, outFeatures]: its last feature map, pooled. */
export abstract class Extractor extends Layer {
  abstract readonly outFeatures: number;

  /** The last feature map [N, outFeatures, height, width] of an input. */
  abstract map(x: Tensor): Tensor;

  /** Embeddings [N, outFeatures] of a feature map: its mean over height and width. */
  pool(map: Tensor): Tensor {
    return mean(map, { dim: [2, 3] });
  }

  forward(x: Tensor): Tensor {
    return this.pool(this.map(x));
  }
}
