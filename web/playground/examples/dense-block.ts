// A dense block of DenseNet: 12 dispatches a layer

import { concat, Device, manualSeed, nn, relu } from 'wavelight';

const device = await Device.create();
const [growth, layers, channels] = [8, 3, 16];

// A layer sees the channels of all layers before it, and adds some of its own.
manualSeed(1);
const block = Array.from({ length: layers }, (_, i) => {
  const inputs = channels + i * growth;
  return new nn.Sequential([
    new nn.BatchNorm2d(inputs),
    new nn.ReLU(),
    new nn.Conv2d(inputs, 4 * growth, 1, { bias: false }),
    new nn.BatchNorm2d(4 * growth),
    new nn.ReLU(),
    new nn.Conv2d(4 * growth, growth, 3, { padding: 1, bias: false }),
  ]).to(device);
});
const stem = new nn.Conv2d(3, channels, 3, { padding: 1, bias: false }).to(device);
const last = new nn.BatchNorm2d(channels + layers * growth).to(device);

// Fused, nothing is concatenated: each layer writes its channels into the buffer of the whole block. A layer takes 12 dispatches on a
// GPU, forward and backward (13 on software adapters, which correct gradients apart), and 28 with each op by itself.
const step = device.compile((images) => {
  let x = stem.forward(images);
  for (const layer of block) x = concat([x, layer.forward(x)], 1);
  const loss = relu(last.forward(x)).mean();
  loss.backward();
  return loss;
});

const images = {
  data: Float32Array.from({ length: 2 * 3 * 16 * 16 }, (_, i) => Math.sin(i)),
  shape: [2, 3, 16, 16],
};
const loss = await step(images);
console.log(`loss ${(await loss.item()).toFixed(4)}`);
for (const fusion of [true, false])
  console.log(
    `${step.plan([images], { fusion }).dispatches} dispatches ${fusion ? 'fused' : 'with each op by itself'}`,
  );
