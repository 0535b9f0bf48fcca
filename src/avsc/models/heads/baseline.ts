/*
 * The classifiers of DCASE 2021's baseline on 512-d embeddings of OpenL3 (repository shanwangshan/TAU-urban-audio-visual-scenes):
 *
 *   head     fc1 512, norm1, ReLU, dropout 0.2, fc2 128, norm2, ReLU, dropout, fc3 64, norm3, ReLU, dropout, fc4 classes
 *   fusion   fc2's outputs of a sound and a picture head, as they are, side by side; Linear 128, Linear classes, nothing between
 *
 * The submitted system trains the heads alone, then the two last layers on the frozen rest.
 */
import { Linear } from '../../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../../nn/layers/norm.ts';
import { Dropout } from '../../../nn/layers/simple.ts';
import { Layer, Module } from '../../../nn/module.ts';
import { concat } from '../../../tensor/fusing_ops.ts';
import { relu } from '../../../tensor/ops/unary.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';

const EMBEDDING = 128;
const DROPOUT = 0.2;

/** First layers of a baseline head, from embeddings [N, inputs] to fc2's outputs [N, 128], before batch norm and ReLU. */
export class BaselineStem extends Layer {
  readonly fc1: Linear;
  readonly norm1: BatchNorm2d;
  readonly fc2: Linear;
  protected readonly dropout = new Dropout(DROPOUT);

  constructor(inputs: number) {
    super();
    this.fc1 = new Linear(inputs, 512);
    this.norm1 = new BatchNorm2d(512);
    this.fc2 = new Linear(512, EMBEDDING);
  }

  embed(x: Tensor): Tensor {
    return this.fc2.forward(this.dropout.forward(relu(this.norm1.forward(this.fc1.forward(x)))));
  }

  forward(x: Tensor): Tensor {
    return this.embed(x);
  }
}

/** The head of one modality, from embeddings [N, inputs] to logits [N, classes]. */
export class BaselineHead extends BaselineStem {
  readonly norm2: BatchNorm2d;
  readonly fc3: Linear;
  readonly norm3: BatchNorm2d;
  readonly fc4: Linear;

  constructor(inputs: number, classes: number) {
    super(inputs);
    this.norm2 = new BatchNorm2d(EMBEDDING);
    this.fc3 = new Linear(EMBEDDING, 64);
    this.norm3 = new BatchNorm2d(64);
    this.fc4 = new Linear(64, classes);
  }

  override forward(x: Tensor): Tensor {
    const wide = this.dropout.forward(relu(this.norm2.forward(this.embed(x))));
    return this.fc4.forward(this.dropout.forward(relu(this.norm3.forward(this.fc3.forward(wide)))));
  }
}

/** The submitted fusion, from embeddings [N, audioFeatures] and [N, videoFeatures] to logits [N, classes]. */
export class BaselineFusion extends Module {
  readonly audio: BaselineStem;
  readonly video: BaselineStem;
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(audioFeatures: number, videoFeatures: number, classes: number) {
    super();
    this.audio = new BaselineStem(audioFeatures);
    this.video = new BaselineStem(videoFeatures);
    this.fc1 = new Linear(2 * EMBEDDING, 128);
    this.fc2 = new Linear(128, classes);
  }

  forward(audio: Tensor, video: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(concat([this.audio.embed(audio), this.video.embed(video)], 1)));
  }
}
