import { Conv2d } from '../../nn/layers/conv.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { Sequential } from '../../nn/layers/sequential.ts';
import { Identity } from '../../nn/layers/simple.ts';
import { Layer } from '../../nn/module.ts';
import { add } from '../../tensor/ops/binary.ts';
import { relu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import {
  plainConv,
  ResidualClassifier,
  ResidualExtractor,
  type BlockSize,
  type ResidualSpec,
} from './residual.ts';

export interface ResNetConfig {
  /** 'basic': two 3x3 convolutions. 'bottleneck': 1x1, 3x3 with the stride, and 1x1 to four times the width. */
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of each layer; the first of every layer but layer1 halves the map. */
  readonly layers: readonly number[];
  /** Channels of the first convolution and width of layer1's blocks; each layer doubles it. */
  readonly width: number;
  /** Input channels. Default 3. */
  readonly channels?: number;
}

/** 512 features. */
export const RESNET18: ResNetConfig = { block: 'basic', layers: [2, 2, 2, 2], width: 64 };
/** 2048 features. */
export const RESNET50: ResNetConfig = { block: 'bottleneck', layers: [3, 4, 6, 3], width: 64 };
/**
 * ResNet50 on log-mel features, whose 6 channels the first convolution takes; else torchvision's, since the paper says no more.
 * 2048 features. Maps of 128 x 39: 64x20, 32x10, 16x5, 8x3, 4x2.
 */
export const RESNET50_AUDIO: ResNetConfig = { ...RESNET50, channels: 6 };
/**
 * ResNet50 up to layer3: 1024 features of 8.5 M parameters. Decision: these are the "bottom layers of a pre-trained image
 * model" that Zhang et al. use.
 */
export const RESNET50_BOTTOM: ResNetConfig = { ...RESNET50, layers: [3, 4, 6] };

/** Output channels of a bottleneck, as a multiple of its width. */
const EXPANSION = 4;

/** The input of a block in the shape of its output: itself, or after a strided 1x1 convolution and batch norm. */
function shortcut(inputs: number, outputs: number, stride: number): Layer {
  if (inputs === outputs && stride === 1) return new Identity();
  return new Sequential([plainConv(inputs, outputs, 1, stride), new BatchNorm2d(outputs)]);
}

class BasicBlock extends Layer {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Layer;

  constructor({ inputs, width, stride }: BlockSize) {
    super();
    this.conv1 = plainConv(inputs, width, 3, stride);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = plainConv(width, width, 3);
    this.bn2 = new BatchNorm2d(width);
    this.downsample = shortcut(inputs, width, stride);
  }

  forward(x: Tensor): Tensor {
    const y = relu(this.bn1.forward(this.conv1.forward(x)));
    return relu(add(this.bn2.forward(this.conv2.forward(y)), this.downsample.forward(x)));
  }
}

class Bottleneck extends Layer {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layer;

  constructor({ inputs, width, stride }: BlockSize) {
    super();
    this.conv1 = plainConv(inputs, width, 1);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = plainConv(width, width, 3, stride);
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = plainConv(width, EXPANSION * width, 1);
    this.bn3 = new BatchNorm2d(EXPANSION * width);
    this.downsample = shortcut(inputs, EXPANSION * width, stride);
  }

  forward(x: Tensor): Tensor {
    const narrow = relu(this.bn1.forward(this.conv1.forward(x)));
    const middle = relu(this.bn2.forward(this.conv2.forward(narrow)));
    return relu(add(this.bn3.forward(this.conv3.forward(middle)), this.downsample.forward(x)));
  }
}

function specOf({ block, layers, width, channels = 3 }: ResNetConfig): ResidualSpec {
  const frame = { stem: plainConv(channels, width, 7, 2), width, layers };
  switch (block) {
    case 'basic':
      return { ...frame, expansion: 1, makeBlock: (size) => new BasicBlock(size) };
    case 'bottleneck':
      return { ...frame, expansion: EXPANSION, makeBlock: (size) => new Bottleneck(size) };
  }
}

/**
 * ResNet without its last layer (He et al. 2016; the stride on the 3x3 as in torchvision, "v1.5"), from [N, channels, H, W]
 * to [N, outFeatures]. Keys are torchvision's.
 */
export class ResNetExtractor extends ResidualExtractor {
  constructor(config: ResNetConfig) {
    super(specOf(config));
  }
}

/** The whole net, from [N, channels, H, W] to logits [N, classes]. */
export class ResNet extends ResidualClassifier {
  constructor(config: ResNetConfig, classes: number) {
    super(specOf(config), classes);
  }
}
