import { heNormal, zeros } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { Layer, type Module } from '../../nn/module.ts';
import { Statistic } from '../../nn/parameter.ts';
import { sub } from '../../tensor/ops/binary.ts';
import { concat } from '../../tensor/fusing_ops.ts';
import { maxPool2d } from '../../tensor/ops/pool.ts';
import { dropout } from '../../tensor/ops/random.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { leakyRelu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

/** Channels of a fire module: of its squeeze, and of each half of its expansion. */
export type FireWidths = readonly [squeeze: number, expand: number];

export interface SqueezeNetConfig {
  /** Channels of the first convolution. */
  readonly stem: number;
  /** Fire modules between the poolings, numbered from 2 on. */
  readonly fires: readonly (readonly FireWidths[])[];
  /** Side of the pictures in pixels, fixed because a mean picture is subtracted. */
  readonly imageSize: number;
}

/** SqueezeNet 1.1 with batch norm: 512 features. */
export const SQUEEZENET1_1: SqueezeNetConfig = {
  stem: 64,
  fires: [
    [
      [16, 64],
      [16, 64],
    ],
    [
      [32, 128],
      [32, 128],
    ],
    [
      [48, 192],
      [48, 192],
      [64, 256],
      [64, 256],
    ],
  ],
  imageSize: 224,
};

/** Slope of the activation for negative values, with which the Places365 weights were trained. */
const SLOPE = 0.55;
/** Lasagne's default, with which those weights were trained. */
export const SQUEEZENET_EPS = 1e-4;
const DROPOUT = 0.5;

/** Convolution, batch norm, leaky ReLU. */
class ConvNorm extends Layer {
  readonly conv: Conv2d;
  readonly norm: BatchNorm2d;

  constructor(inputs: number, outputs: number, kernelSize: number, stride = 1) {
    super();
    const padding = Math.floor(kernelSize / 2);
    this.conv = new Conv2d(inputs, outputs, kernelSize, { stride, padding, init: heNormal });
    this.norm = new BatchNorm2d(outputs, { eps: SQUEEZENET_EPS });
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(this.norm.forward(this.conv.forward(x)), { negativeSlope: SLOPE });
  }
}

/** A 1x1 convolution to few channels, then a 1x1 and a 3x3 convolution side by side. */
class Fire extends Layer {
  readonly squeeze: ConvNorm;
  readonly expand1x1: ConvNorm;
  readonly expand3x3: ConvNorm;

  constructor(inputs: number, [squeeze, expand]: FireWidths) {
    super();
    this.squeeze = new ConvNorm(inputs, squeeze, 1);
    this.expand1x1 = new ConvNorm(squeeze, expand, 1);
    this.expand3x3 = new ConvNorm(squeeze, expand, 3);
  }

  forward(x: Tensor): Tensor {
    const narrow = this.squeeze.forward(x);
    return concat([this.expand1x1.forward(narrow), this.expand3x3.forward(narrow)], 1);
  }
}

/**
 * SqueezeNet 1.1 (Iandola et al. 2016) with batch norm, without its last convolution: from RGB pictures [N, 3, S, S] in
 * 0 to 1 to the mean over the last map, [N, outFeatures]. `mean_image`, [3, S, S] in RGB and 0 to 1, is subtracted first.
 */
export class SqueezeNetExtractor extends Extractor {
  readonly meanImage: Statistic;
  readonly outFeatures: number;
  readonly #conv1: ConvNorm;
  readonly #groups: readonly (readonly Fire[])[];

  constructor({ stem, fires, imageSize }: SqueezeNetConfig) {
    super();
    this.meanImage = new Statistic([3, imageSize, imageSize], zeros);
    this.#conv1 = new ConvNorm(3, stem, 3, 2);
    let channels = stem;
    this.#groups = fires.map((group) =>
      group.map((widths) => {
        const fire = new Fire(channels, widths);
        channels = 2 * widths[1];
        return fire;
      }),
    );
    this.outFeatures = channels;
  }

  override namedChildren(): [string, Module][] {
    const fires = this.#groups.flat().map((fire, i): [string, Module] => [`fire${i + 2}`, fire]);
    return [['conv1', this.#conv1], ...fires, ...super.namedChildren()];
  }

  /** Output of the last fire module. */
  override map(images: Tensor): Tensor {
    const stem = this.#conv1.forward(sub(images, this.meanImage.tensor));
    return this.#groups.reduce(
      (x, group) => group.reduce((y, fire) => fire.forward(y), maxPool2d(x, { kernelSize: 3, stride: 2 })),
      stem,
    );
  }
}

/** The whole net, from [N, 3, S, S] to logits [N, classes]: conv10 with its activation, then the mean over the map. */
export class SqueezeNet extends SqueezeNetExtractor {
  readonly conv10: Conv2d;

  constructor(config: SqueezeNetConfig, classes: number) {
    super(config);
    this.conv10 = new Conv2d(this.outFeatures, classes, 1, { init: heNormal });
  }

  override forward(images: Tensor): Tensor {
    const map = this.map(images);
    const dropped = this.training ? dropout(map, { p: DROPOUT, training: true }) : map;
    return mean(leakyRelu(this.conv10.forward(dropped), { negativeSlope: SLOPE }), { dim: [2, 3] });
  }
}
