import { heNormal } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { AvgPool2d } from '../../nn/layers/pool.ts';
import { Sequential } from '../../nn/layers/sequential.ts';
import { Identity, ReLU } from '../../nn/layers/simple.ts';
import { Layer } from '../../nn/module.ts';
import { add, mul } from '../../tensor/ops/binary.ts';
import { chunk } from '../../tensor/ops/parts.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import { softmax } from '../../tensor/ops/softmax.ts';
import { relu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import {
  plainConv,
  ResidualClassifier,
  ResidualExtractor,
  type BlockSize,
  type ResidualSpec,
} from './residual.ts';

export interface ResNestConfig {
  /** Blocks of each layer; the first of every layer but layer1 halves the map. */
  readonly layers: readonly number[];
  /** Width of layer1's blocks and output channels of the stem; each layer doubles it. */
  readonly width: number;
}

/** 2048 features. */
export const RESNEST50: ResNestConfig = { layers: [3, 4, 6, 3], width: 64 };

/** Output channels of a bottleneck, as a multiple of its width. */
const EXPANSION = 4;
/** Number of maps that the attention weighs against each other. */
const RADIX = 2;
/** The attention's inner width is the channels of all maps divided by this, at least MIN_INNER. */
const REDUCTION = 4;
const MIN_INNER = 32;

/**
 * Split attention of radix 2: a grouped 3x3 convolution makes two maps. The spatial mean of their sum gives, by a softmax
 * over the two for each channel, their weights in the result. From [N, C, H, W] to the same shape.
 */
class SplitAttention extends Layer {
  readonly conv: Conv2d;
  readonly bn0: BatchNorm2d;
  readonly fc1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly fc2: Conv2d;

  constructor(channels: number) {
    super();
    const inner = Math.max(Math.floor((channels * RADIX) / REDUCTION), MIN_INNER);
    this.conv = new Conv2d(channels, channels * RADIX, 3, {
      padding: 1,
      groups: RADIX,
      bias: false,
      init: heNormal,
    });
    this.bn0 = new BatchNorm2d(channels * RADIX);
    this.fc1 = new Conv2d(channels, inner, 1);
    this.bn1 = new BatchNorm2d(inner);
    this.fc2 = new Conv2d(inner, channels * RADIX, 1);
  }

  forward(x: Tensor): Tensor {
    const [batch = 1, channels = 1] = x.shape;
    const parts = chunk(relu(this.bn0.forward(this.conv.forward(x))), RADIX, 1);
    const pooled = mean(parts.reduce(add), { dim: [2, 3], keepDim: true });
    const scores = this.fc2.forward(relu(this.bn1.forward(this.fc1.forward(pooled))));
    const shares = softmax(reshape(scores, [batch, RADIX, channels]), 1);
    const gates = chunk(reshape(shares, [batch, RADIX * channels, 1, 1]), RADIX, 1);
    return parts.map((part, i) => mul(part, gates[i] ?? 1)).reduce(add);
  }
}

/** ResNet's bottleneck with split attention; the stride is that of a 3x3 average pooling, in the first block of all layers but layer1. */
class Bottleneck extends Layer {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: SplitAttention;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layer;
  readonly #pool: Layer;

  constructor({ inputs, width, stride }: BlockSize) {
    super();
    this.conv1 = plainConv(inputs, width, 1);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = new SplitAttention(width);
    this.conv3 = plainConv(width, EXPANSION * width, 1);
    this.bn3 = new BatchNorm2d(EXPANSION * width);
    this.downsample = shortcut(inputs, EXPANSION * width, stride);
    this.#pool = stride > 1 ? new AvgPool2d(3, { stride, padding: 1 }) : new Identity();
  }

  forward(x: Tensor): Tensor {
    const narrow = relu(this.bn1.forward(this.conv1.forward(x)));
    const middle = this.#pool.forward(this.conv2.forward(narrow));
    return relu(add(this.bn3.forward(this.conv3.forward(middle)), this.downsample.forward(x)));
  }
}

/** The input of a block in the shape of its output. The average pooling has the stride; layer1 has one too, since keys count it. */
function shortcut(inputs: number, outputs: number, stride: number): Layer {
  if (inputs === outputs && stride === 1) return new Identity();
  const pool =
    stride > 1 ? new AvgPool2d(stride, { ceilMode: true, countIncludePad: false }) : new Identity();
  return new Sequential([pool, plainConv(inputs, outputs, 1), new BatchNorm2d(outputs)]);
}

/** Three 3x3 convolutions, the first with stride 2. */
function deepStem(channels: number): Sequential {
  const narrow = channels / 2;
  return new Sequential([
    plainConv(3, narrow, 3, 2),
    new BatchNorm2d(narrow),
    new ReLU(),
    plainConv(narrow, narrow, 3),
    new BatchNorm2d(narrow),
    new ReLU(),
    plainConv(narrow, channels, 3),
  ]);
}

const specOf = ({ layers, width }: ResNestConfig): ResidualSpec => ({
  stem: deepStem(width),
  width,
  layers,
  expansion: EXPANSION,
  makeBlock: (size) => new Bottleneck(size),
});

/**
 * ResNeSt without its last layer (Zhang et al. 2020), from [N, 3, H, W] to [N, outFeatures]. Keys are those of
 * the authors' repository (zhanghang1989/ResNeSt).
 */
export class ResNestExtractor extends ResidualExtractor {
  constructor(config: ResNestConfig) {
    super(specOf(config));
  }
}

/** The whole net, from [N, 3, H, W] to logits [N, classes]. */
export class ResNest extends ResidualClassifier {
  constructor(config: ResNestConfig, classes: number) {
    super(specOf(config), classes);
  }
}
