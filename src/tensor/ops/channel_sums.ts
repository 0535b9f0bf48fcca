import { blocksOf, reduce } from '../../kernels/reduce.ts';
import { one } from '../../kernels/tuple.ts';
import { recordOne } from '../graph/op.ts';
import type { Op } from '../graph/op.ts';
import type { Tensor } from '../graph/tensor.ts';

interface ChannelExtent {
  readonly images: number;
  readonly channels: number;
  readonly pixels: number;
}

const channelSumsOp: Op<ChannelExtent> = {
  name: 'bias gradient',
  half: { inputs: 'all' },
  lower: (context, { inputs, outputs, attrs: { images, channels, pixels } }) => [
    ...reduce(context, 'sum', one(inputs), one(outputs), blocksOf([images, channels, pixels], [0, 2])),
  ],
};

/** Sums dy [N, C, ...] over all but its channels: the gradient of a bias [C]. Has no gradient itself. */
export function channelSums(dy: Tensor): Tensor {
  const [images = 1, channels = 1] = dy.shape;
  const pixels = dy.numel / (images * channels);
  return recordOne(channelSumsOp, [dy], { shape: [channels] }, { images, channels, pixels });
}
