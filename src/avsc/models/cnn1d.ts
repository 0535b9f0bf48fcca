import { heNormal } from '../../nn/init.ts';
import { Conv2d } from '../../nn/layers/conv.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { MaxPool2d } from '../../nn/layers/pool.ts';
import { Sequential } from '../../nn/layers/sequential.ts';
import { ReLU } from '../../nn/layers/simple.ts';
import { Linear } from '../../nn/layers/linear.ts';
import { Layer } from '../../nn/module.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Extractor } from './extractor.ts';

export interface Cnn1dConfig {
  /** Channels of the sound. */
  readonly channels: number;
  /** Length and stride of the first filters, in samples; they differ by an even number. */
  readonly kernel: number;
  readonly stride: number;
  /** Output channels of each convolution, block by block; all but the first have length 3. */
  readonly blocks: readonly (readonly number[])[];
}

/**
 * M11 (Dai et al. 2017, "Very deep convolutional neural networks for raw waveforms"), with first filters of 10 ms every 0.5 ms
 * as there, which are 480 and 24 samples at 48 kHz. 512 features, 1.9 M parameters. Maps of one second: 2000, 500, 125, 31, 7.
 *
 * Decision: the acoustic encoder of Zhang et al., of which only "1-D CNN" is public.
 */
export const CNN1D: Cnn1dConfig = {
  channels: 2,
  kernel: 480,
  stride: 24,
  blocks: [[64], [64, 64], [128, 128, 128], [256, 256, 256], [512, 512]],
};

/** Samples that a pooling between blocks takes together. */
const POOL = 4;

/**
 * 1-D CNN on the waveform, from [N, channels, samples] to [N, outFeatures]: convolutions without bias, each followed by batch
 * norm and ReLU; max pooling by 4 between blocks; the mean over time. Convolutions are 2-D with maps of height 1.
 */
export class Cnn1dExtractor extends Extractor {
  readonly features: Sequential;
  readonly outFeatures: number;

  constructor({ channels, kernel, stride, blocks }: Cnn1dConfig) {
    super();
    let inputs = channels;
    const layers: Record<string, Layer> = {};
    blocks.forEach((widths, i) => {
      if (i > 0) layers[`pool${i}`] = new MaxPool2d([1, POOL]);
      widths.forEach((width, j) => {
        const first = i === 0 && j === 0;
        const [length, step] = first ? [kernel, stride] : [3, 1];
        layers[`conv${i + 1}_${j + 1}`] = new Conv2d(inputs, width, [1, length], {
          stride: [1, step],
          padding: [0, Math.floor((length - step) / 2)],
          bias: false,
          init: heNormal,
        });
        layers[`norm${i + 1}_${j + 1}`] = new BatchNorm2d(width);
        layers[`relu${i + 1}_${j + 1}`] = new ReLU();
        inputs = width;
      });
    });
    this.features = new Sequential(layers);
    this.outFeatures = inputs;
  }

  /** Of height 1. */
  override map(waveform: Tensor): Tensor {
    const [batch = 1, channels = 1, samples = 1] = waveform.shape;
    return this.features.forward(reshape(waveform, [batch, channels, 1, samples]));
  }
}

/** The extractor with a last layer `fc`: from [N, channels, samples] to logits [N, classes]. */
export class Cnn1d extends Cnn1dExtractor {
  readonly fc: Linear;

  constructor(config: Cnn1dConfig, classes: number) {
    super(config);
    this.fc = new Linear(this.outFeatures, classes);
  }

  override forward(waveform: Tensor): Tensor {
    return this.fc.forward(super.forward(waveform));
  }
}
