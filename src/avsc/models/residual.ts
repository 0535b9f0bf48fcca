// The common frame of ResNet and ResNeSt, which differ in stem and blocks.

import { heNormal } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { Linear } from '../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { Sequential } from '../../nn/layers/sequential.ts';
import { Layer, type Module } from '../../nn/module.ts';
import { maxPool2d } from '../../tensor/ops/pool.ts';
import { relu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

/** Size of a block. */
export interface BlockSize {
  readonly inputs: number;
  readonly width: number;
  readonly stride: number;
}

export interface ResidualSpec {
  /** From pictures to `width` channels at half their size. */
  readonly stem: Layer;
  /** Width of layer1's blocks; each layer doubles it. */
  readonly width: number;
  /** Blocks of each layer; the first of every layer but layer1 has stride 2. */
  readonly layers: readonly number[];
  /** Output channels of a block, as a multiple of its width. */
  readonly expansion: number;
  readonly makeBlock: (size: BlockSize) => Layer;
}

/** A convolution without bias, padded so that stride 1 keeps the map's size. */
export const plainConv = (inputs: number, outputs: number, kernelSize: number, stride = 1): Conv2d =>
  new Conv2d(inputs, outputs, kernelSize, {
    stride,
    padding: Math.floor(kernelSize / 2),
    bias: false,
    init: heNormal,
  });

/** The stem conv1 with bn1, max pooling, layer1, layer2, ...: from [N, 3, H, W] to the mean of the last map. */
export class ResidualExtractor extends Extractor {
  readonly conv1: Layer;
  readonly bn1: BatchNorm2d;
  readonly outFeatures: number;
  readonly #layers: readonly (readonly [name: string, layer: Sequential])[];

  constructor({ stem, width, layers, expansion, makeBlock }: ResidualSpec) {
    super();
    this.conv1 = stem;
    this.bn1 = new BatchNorm2d(width);
    let inputs = width;
    this.#layers = layers.map((count, i) => {
      const blocks = Array.from({ length: count }, (_, j) => {
        const size = { inputs, width: width * 2 ** i, stride: i > 0 && j === 0 ? 2 : 1 };
        inputs = size.width * expansion;
        return makeBlock(size);
      });
      return [`layer${i + 1}`, new Sequential(blocks)];
    });
    this.outFeatures = inputs;
  }

  override namedChildren(): [string, Module][] {
    const layers = this.#layers.map(([name, layer]): [string, Module] => [name, layer]);
    return [['conv1', this.conv1], ['bn1', this.bn1], ...layers];
  }

  override map(images: Tensor): Tensor {
    const stem = relu(this.bn1.forward(this.conv1.forward(images)));
    const pooled = maxPool2d(stem, { kernelSize: 3, stride: 2, padding: 1 });
    return this.#layers.reduce((x, [, layer]) => layer.forward(x), pooled);
  }
}

/** The extractor with a last layer `fc`: from [N, 3, H, W] to logits [N, classes]. */
export class ResidualClassifier extends ResidualExtractor {
  readonly fc: Linear;

  constructor(spec: ResidualSpec, classes: number) {
    super(spec);
    this.fc = new Linear(this.outFeatures, classes);
  }

  override namedChildren(): [string, Module][] {
    return [...super.namedChildren(), ['fc', this.fc]];
  }

  override forward(images: Tensor): Tensor {
    return this.fc.forward(super.forward(images));
  }
}
