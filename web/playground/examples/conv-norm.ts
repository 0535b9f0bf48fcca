// Convolution, batch norm and ReLU, trained with Adam

import { crossEntropy, Device, manualSeed, nn, optim } from 'wavelight';

const device = await Device.create();

manualSeed(1);
const net = new nn.Sequential([
  new nn.Conv2d(3, 16, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(16),
  new nn.ReLU(),
  new nn.Conv2d(16, 16, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(16),
  new nn.ReLU(),
  new nn.AdaptiveAvgPool2d(1),
  new nn.Flatten(),
  new nn.Linear(16, 2),
]).to(device);
const adam = new optim.Adam(net.parameters(), { lr: 0.01 });

// Fused, the second convolution applies the norm and the ReLU in its load: see the tab "Fused".
const step = device.compile((images, labels) => {
  adam.zeroGrad();
  const loss = crossEntropy(net.forward(images), labels);
  loss.backward();
  adam.step();
  return loss;
});

// Stripes along x, or along y.
const [batch, side] = [8, 12];
const labels = Int32Array.from({ length: batch }, (_, n) => n % 2);
const images = {
  data: Float32Array.from({ length: batch * 3 * side * side }, (_, i) => {
    const [n, y, x] = [Math.floor(i / (3 * side * side)), Math.floor(i / side) % side, i % side];
    return Math.sin((n % 2 === 0 ? x : y) + n);
  }),
  shape: [batch, 3, side, side],
};

for (let i = 1; i <= 10; i++) {
  const loss = await step(images, labels);
  if (i % 5 === 0) console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
}
