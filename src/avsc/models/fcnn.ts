import { BatchNorm2d, type BatchNorm2dOptions } from '../../nn/layers/norm.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { Linear } from '../../nn/layers/linear.ts';
import { heNormal } from '../../nn/init.ts';
import { Layer, type Module } from '../../nn/module.ts';
import { add, mul } from '../../tensor/ops/binary.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import { maxPool2d } from '../../tensor/ops/pool.ts';
import { dropout } from '../../tensor/ops/random.ts';
import { amax, mean } from '../../tensor/ops/reduce.ts';
import { relu, sigmoid } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

export interface FcnnConfig {
  /** Length of the result: of an embedding, or the number of classes if the pooled map is the logits. */
  readonly features: number;
  /** Input channels. Default 6: two microphones, each with its first and second differences. */
  readonly channels?: number;
  /** Channels of blocks 1 to 3. Default [144, 288, 576]. */
  readonly widths?: readonly [number, number, number];
  /** Convolutions of block 3. Default 4. */
  readonly block3Convs?: number;
  /** Padding of the last convolution of block 3. Default 1; the published small net has 2. */
  readonly block3LastPadding?: number;
  /** Dropout probability after each convolution of block 3 but the last. Default 0.3. */
  readonly dropout?: number;
  /**
   * Weight of a batch in the running statistics. Default 0.01, which is 0.99 in Keras' terms. A training of a few
   * hundred steps needs more, or the statistics stay close to their initial values.
   */
  readonly normMomentum?: number;
}

/** The published small net, for 48 kHz binaural sound; its classes are indoor, outdoor and transportation. */
export const FCNN_SMALL: FcnnConfig = {
  features: 3,
  widths: [36, 72, 96],
  block3Convs: 2,
  block3LastPadding: 2,
};

/** Keras' default, which the published net uses. */
const NORM_EPS = 1e-3;

interface ConvSpec {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding: number;
}

interface BlockOptions {
  readonly norm: BatchNorm2dOptions;
  readonly dropout?: number;
}

/** conv{i} without bias, norm{i}, ReLU for each spec; dropout after all but the last. */
class ConvBlock extends Layer {
  readonly #stages: readonly { readonly conv: Conv2d; readonly norm: BatchNorm2d }[];
  readonly #dropout: number;

  constructor(specs: readonly ConvSpec[], options: BlockOptions) {
    super();
    this.#stages = specs.map(({ inputs, outputs, kernelSize, stride = 1, padding }) => ({
      conv: new Conv2d(inputs, outputs, kernelSize, { stride, padding, bias: false, init: heNormal }),
      norm: new BatchNorm2d(outputs, options.norm),
    }));
    this.#dropout = options.dropout ?? 0;
  }

  override namedChildren(): [string, Module][] {
    return this.#stages.flatMap(({ conv, norm }, i): [string, Module][] => [
      [`conv${i + 1}`, conv],
      [`norm${i + 1}`, norm],
    ]);
  }

  forward(x: Tensor): Tensor {
    const p = this.training ? this.#dropout : 0;
    return this.#stages.reduce((input, { conv, norm }, i) => {
      const y = relu(norm.forward(conv.forward(input)));
      return p > 0 && i + 1 < this.#stages.length ? dropout(y, { p, training: true }) : y;
    }, x);
  }
}

/** x * sigmoid(mlp(average of x) + mlp(maximum of x)) per channel, mlp = fc2(relu(fc1)) with half the width inside. */
class ChannelAttention extends Layer {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(channels: number) {
    super();
    const hidden = Math.floor(channels / 2);
    this.fc1 = new Linear(channels, hidden);
    this.fc2 = new Linear(hidden, channels);
  }

  forward(x: Tensor): Tensor {
    const [batch = 1, channels = 1] = x.shape;
    const mlp = (pooled: Tensor) => this.fc2.forward(relu(this.fc1.forward(pooled)));
    const average = mlp(mean(x, { dim: [2, 3] }));
    const largest = mlp(amax(x, { dim: [2, 3] }));
    return mul(x, reshape(sigmoid(add(average, largest)), [batch, channels, 1, 1]));
  }
}

/**
 * Fully convolutional net for log-mel features (Hu et al., DCASE 2020; repository MihawkHu/DCASE2020_task1), from
 * [N, channels, mel, frames] to [N, features]. Maps of a 128 x 39 input: 64x20, 32x10, 16x5, 8x2.
 */
export class Fcnn extends Extractor {
  readonly outFeatures: number;
  readonly norm0: BatchNorm2d;
  readonly block1: Layer;
  readonly block2: Layer;
  readonly block3: Layer;
  readonly block4: Layer;
  readonly normOut: BatchNorm2d;
  readonly attention: Layer;

  /** Throws a RangeError if features is below 2, since the attention halves it, or block 3 has no convolution. */
  constructor(config: FcnnConfig) {
    super();
    const {
      features,
      channels = 6,
      widths = [144, 288, 576],
      block3Convs = 4,
      block3LastPadding = 1,
    } = config;
    if (features < 2 || block3Convs < 1) {
      throw new RangeError(
        `Fcnn needs at least 2 features and 1 conv in block 3, got ${features} and ${block3Convs}`,
      );
    }
    const [a, b, c] = widths;
    const conv = (inputs: number, outputs: number, padding = 1): ConvSpec => {
      return { inputs, outputs, kernelSize: 3, padding };
    };
    const deep = Array.from({ length: block3Convs }, (_, i) =>
      conv(i === 0 ? b : c, c, i === block3Convs - 1 ? block3LastPadding : 1),
    );
    const norm = { eps: NORM_EPS, momentum: config.normMomentum ?? 0.01 };
    const plainNorm = { ...norm, affine: false };
    const first = { inputs: channels, outputs: a, kernelSize: 5, stride: 2, padding: 2 };
    const last = { inputs: c, outputs: features, kernelSize: 1, padding: 0 };
    this.outFeatures = features;
    this.norm0 = new BatchNorm2d(channels, norm);
    this.block1 = new ConvBlock([first, conv(a, a)], { norm });
    this.block2 = new ConvBlock([conv(a, b), conv(b, b)], { norm });
    this.block3 = new ConvBlock(deep, { norm, dropout: config.dropout ?? 0.3 });
    this.block4 = new ConvBlock([last], { norm: plainNorm });
    this.normOut = new BatchNorm2d(features, plainNorm);
    this.attention = new ChannelAttention(features);
  }

  override map(features: Tensor): Tensor {
    let x = this.norm0.forward(features);
    x = maxPool2d(this.block1.forward(x), { kernelSize: 2 });
    x = maxPool2d(this.block2.forward(x), { kernelSize: 2 });
    x = maxPool2d(this.block3.forward(x), { kernelSize: 2 });
    x = this.normOut.forward(this.block4.forward(x));
    return this.attention.forward(x);
  }
}
