// Trains in a worker, so that the page stays free: a net that tells points inside a circle from those outside.

import { crossEntropy, Device, nn, optim } from 'wavelight';

const POINTS = 256;
const device = await Device.create();
const net = new nn.Sequential([new nn.Linear(2, 16), new nn.ReLU(), new nn.Linear(16, 2)]).to(device);
const adam = new optim.Adam(net.parameters(), { lr: 0.03 });
const step = device.compile((points, labels) => {
  adam.zeroGrad();
  const loss = crossEntropy(net.forward(points), labels);
  loss.backward();
  adam.step();
  return loss;
});

for (let i = 1; i <= 200; i++) {
  const points = Float32Array.from({ length: 2 * POINTS }, () => 2 * Math.random() - 1);
  const labels = Int32Array.from({ length: POINTS }, (_, k) =>
    Math.hypot(points[2 * k] ?? 0, points[2 * k + 1] ?? 0) < 0.7 ? 1 : 0,
  );
  const loss = await (await step({ data: points, shape: [POINTS, 2] }, labels)).item();
  if (i % 20 === 0) postMessage({ step: i, loss, device: device.description.name });
}
await device.destroy();
