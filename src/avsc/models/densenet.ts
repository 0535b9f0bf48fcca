import { heNormal } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { Linear } from '../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { AvgPool2d, MaxPool2d } from '../../nn/layers/pool.ts';
import { Sequential } from '../../nn/layers/sequential.ts';
import { ReLU } from '../../nn/layers/simple.ts';
import { Layer } from '../../nn/module.ts';
import { concat } from '../../tensor/fusing_ops.ts';
import { relu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

export interface DenseNetConfig {
  /** Channels that each layer adds. */
  readonly growthRate: number;
  /** Layers of each dense block; transitions between blocks halve channels and size. */
  readonly blocks: readonly number[];
  /** Channels of the first convolution. */
  readonly stem: number;
}

/** 1024 features; 7,978,856 parameters with 1000 classes. */
export const DENSENET121: DenseNetConfig = { growthRate: 32, blocks: [6, 12, 24, 16], stem: 64 };
/** 2208 features; 28,681,000 parameters with 1000 classes. */
export const DENSENET161: DenseNetConfig = { growthRate: 48, blocks: [6, 12, 36, 24], stem: 96 };

/** Output channels of a layer's 1x1 convolution, as a multiple of growthRate. */
const BOTTLENECK = 4;

const conv = (inputs: number, outputs: number, kernelSize: number, stride = 1): Conv2d =>
  new Conv2d(inputs, outputs, kernelSize, {
    stride,
    padding: Math.floor(kernelSize / 2),
    bias: false,
    init: heNormal,
  });

/** BN, ReLU, conv 1x1, BN, ReLU, conv 3x3: the channels that a layer adds. */
class DenseLayer extends Layer {
  readonly norm1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly conv2: Conv2d;

  constructor(inputs: number, growthRate: number) {
    super();
    this.norm1 = new BatchNorm2d(inputs);
    this.conv1 = conv(inputs, BOTTLENECK * growthRate, 1);
    this.norm2 = new BatchNorm2d(BOTTLENECK * growthRate);
    this.conv2 = conv(BOTTLENECK * growthRate, growthRate, 3);
  }

  forward(x: Tensor): Tensor {
    const narrow = this.conv1.forward(relu(this.norm1.forward(x)));
    return this.conv2.forward(relu(this.norm2.forward(narrow)));
  }
}

/** The input of each layer is the block's input and the output of all layers before it. */
class DenseBlock extends Layer {
  readonly #layers: readonly DenseLayer[];

  constructor(inputs: number, count: number, growthRate: number) {
    super();
    this.#layers = Array.from(
      { length: count },
      (_, i) => new DenseLayer(inputs + i * growthRate, growthRate),
    );
  }

  override namedChildren(): [string, DenseLayer][] {
    return this.#layers.map((layer, i) => [`denselayer${i + 1}`, layer]);
  }

  forward(x: Tensor): Tensor {
    return this.#layers.reduce((features, layer) => concat([features, layer.forward(features)], 1), x);
  }
}

/** BN, ReLU, conv 1x1 to half the channels, average pooling of 2x2. */
const transition = (channels: number): Sequential =>
  new Sequential({
    norm: new BatchNorm2d(channels),
    relu: new ReLU(),
    conv: conv(channels, channels / 2, 1),
    pool: new AvgPool2d(2),
  });

/**
 * DenseNet without its classifier (Huang et al. 2017), from [N, 3, H, W] to [N, outFeatures]; H and W are at least
 * 4 times 2 to the number of transitions. Keys are torchvision's.
 */
export class DenseNetExtractor extends Extractor {
  readonly features: Sequential;
  readonly outFeatures: number;

  /** Throws a RangeError if a transition would halve an odd number of channels. */
  constructor(config: DenseNetConfig) {
    super();
    const { growthRate, blocks, stem } = config;
    let channels = stem;
    const layers: Record<string, Layer> = {
      conv0: conv(3, stem, 7, 2),
      norm0: new BatchNorm2d(stem),
      relu0: new ReLU(),
      pool0: new MaxPool2d(3, { stride: 2, padding: 1 }),
    };
    blocks.forEach((count, i) => {
      layers[`denseblock${i + 1}`] = new DenseBlock(channels, count, growthRate);
      channels += count * growthRate;
      if (i + 1 === blocks.length) return;
      if (channels % 2 !== 0)
        throw new RangeError(`DenseNet: block ${i + 1} has ${channels} channels, which is odd`);
      layers[`transition${i + 1}`] = transition(channels);
      channels /= 2;
    });
    layers['norm5'] = new BatchNorm2d(channels);
    this.features = new Sequential(layers);
    this.outFeatures = channels;
  }

  override map(images: Tensor): Tensor {
    return relu(this.features.forward(images));
  }
}

/** The whole net, from [N, 3, H, W] to logits [N, classes]: for Places365 checkpoints. */
export class DenseNet extends DenseNetExtractor {
  readonly classifier: Linear;

  constructor(config: DenseNetConfig, classes: number) {
    super(config);
    this.classifier = new Linear(this.outFeatures, classes);
  }

  override forward(images: Tensor): Tensor {
    return this.classifier.forward(super.forward(images));
  }
}
