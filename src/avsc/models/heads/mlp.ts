import { Linear } from '../../../nn/layers/linear.ts';
import { Layer } from '../../../nn/module.ts';
import { relu } from '../../../tensor/ops/unary.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';

/** Linear layers to 512, 128, 64 and the classes with ReLU between: from embeddings [N, inputs] to logits [N, classes]. */
export class FusionMlp extends Layer {
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;
  readonly fc4: Linear;

  constructor(inputs: number, classes: number) {
    super();
    this.fc1 = new Linear(inputs, 512);
    this.fc2 = new Linear(512, 128);
    this.fc3 = new Linear(128, 64);
    this.fc4 = new Linear(64, classes);
  }

  forward(embedding: Tensor): Tensor {
    let x = relu(this.fc1.forward(embedding));
    x = relu(this.fc2.forward(x));
    x = relu(this.fc3.forward(x));
    return this.fc4.forward(x);
  }
}
