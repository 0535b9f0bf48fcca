// Maxima and averages, and a convolution that goes last

import { add, avgPool2d, batchNorm2d, conv2d, Device, maxPool2d, relu } from 'wavelight';

const device = await Device.create();

const pools = device.compile((x) => ({
  largest: maxPool2d(x, { kernelSize: 2 }),
  average: avgPool2d(x, { kernelSize: 2 }),
}));
const picture = { data: Float32Array.from({ length: 16 }, (_, i) => i), shape: [1, 1, 4, 4] };
const { largest, average } = await pools(picture);
console.log('largest', await largest.data());
console.log('average', await average.data());

// A transition of DenseNet: norm, ReLU, 1x1 convolution, average. A 1x1 convolution and an average commute, so that the
// average goes first where ops are fused, which is a quarter of the arithmetic.
const weight = device.tensor(
  Float32Array.from({ length: 32 * 16 }, (_, i) => Math.sin(i)),
  [16, 32, 1, 1],
);
const transition = device.compile((x) => {
  const narrow = conv2d(relu(batchNorm2d(x, { training: true })), weight);
  return add(avgPool2d(narrow, { kernelSize: 2 }), 1);
});
const maps = {
  data: Float32Array.from({ length: 4 * 32 * 16 * 16 }, (_, i) => Math.cos(i)),
  shape: [4, 32, 16, 16],
};
const y = await transition(maps);
console.log(`transition: [${y.shape.join(', ')}]`);
for (const fusion of [true, false]) {
  const { flops } = transition.plan([maps], { fusion });
  console.log(`${(flops / 1e6).toFixed(2)} MFLOP ${fusion ? 'fused' : 'with each op by itself'}`);
}
