import { heNormal } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { Linear } from '../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import type { Module } from '../../nn/module.ts';
import { maxPool2d } from '../../tensor/ops/pool.ts';
import { amax } from '../../tensor/ops/reduce.ts';
import { relu } from '../../tensor/ops/unary.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

export interface OpenL3Config {
  /** Channels of the input. */
  readonly channels: number;
  /** Channels of each pair of convolutions; the last pair gives the embedding. */
  readonly widths: readonly number[];
  /** Convolutions, counted from 1, whose ReLU stands before their batch norm. */
  readonly reluFirst: readonly number[];
}

/** For the mel256 spectrogram, [1, 256, 199]; maps of 256x199, 128x99, 64x49, 32x24. 512 features. */
export const OPENL3_AUDIO: OpenL3Config = { channels: 1, widths: [64, 128, 256, 512], reluFirst: [] };

/** For pictures of 224 x 224 in [-1, 1]. The published net has batch norm and ReLU of its second convolution the other way round. */
export const OPENL3_IMAGE: OpenL3Config = { channels: 3, widths: [64, 128, 256, 512], reluFirst: [2] };

/** Keras' defaults. Keras' momentum of 0.99 is 0.01 here. */
const NORM = { eps: 1e-3, momentum: 0.01 };

/**
 * The embedding nets of OpenL3 (Cramer et al. 2019; repository marl/openl3), from [N, channels, H, W] to [N, outFeatures]:
 * norm0 on the input, then pairs of 3x3 convolutions with bias, each with batch norm and ReLU, and max pooling by 2 between
 * pairs. The last convolution stands alone. The result is the maximum of its map, which is the published pooling by
 * (32, 24) or (28, 28) with 512 features.
 */
export class OpenL3Extractor extends Extractor {
  readonly outFeatures: number;
  readonly #norm0: BatchNorm2d;
  readonly #stages: readonly { readonly conv: Conv2d; readonly norm: BatchNorm2d | null }[];
  readonly #reluFirst: readonly number[];

  constructor({ channels, widths, reluFirst }: OpenL3Config) {
    super();
    const outputs = widths.flatMap((width) => [width, width]);
    this.#norm0 = new BatchNorm2d(channels, NORM);
    this.#stages = outputs.map((width, i) => ({
      conv: new Conv2d(outputs[i - 1] ?? channels, width, 3, { padding: 1, init: heNormal }),
      norm: i + 1 < outputs.length ? new BatchNorm2d(width, NORM) : null,
    }));
    this.#reluFirst = reluFirst;
    this.outFeatures = outputs.at(-1) ?? channels;
  }

  /** norm0, conv1, norm1, ..., conv8. */
  override namedChildren(): [string, Module][] {
    const stages = this.#stages.flatMap(({ conv, norm }, i): [string, Module][] => [
      [`conv${i + 1}`, conv],
      ...(norm ? [[`norm${i + 1}`, norm] as [string, Module]] : []),
    ]);
    return [['norm0', this.#norm0], ...stages];
  }

  override map(x: Tensor): Tensor {
    return this.#stages.reduce((input, { conv, norm }, i) => {
      const y = conv.forward(input);
      if (norm === null) return y;
      const active = this.#reluFirst.includes(i + 1) ? norm.forward(relu(y)) : relu(norm.forward(y));
      return i % 2 === 0 ? active : maxPool2d(active, { kernelSize: 2 });
    }, this.#norm0.forward(x));
  }

  /** The largest element of each channel. */
  override pool(map: Tensor): Tensor {
    return amax(map, { dim: [2, 3] });
  }
}

/** The extractor with a last layer `fc`, which OpenL3 has not: from [N, channels, H, W] to logits [N, classes]. */
export class OpenL3 extends OpenL3Extractor {
  readonly fc: Linear;

  constructor(config: OpenL3Config, classes: number) {
    super(config);
    this.fc = new Linear(this.outFeatures, classes);
  }

  override namedChildren(): [string, Module][] {
    return [...super.namedChildren(), ['fc', this.fc]];
  }

  override forward(x: Tensor): Tensor {
    return this.fc.forward(super.forward(x));
  }
}
