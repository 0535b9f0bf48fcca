// Mixup inside the recorded step

import { add, crossEntropy, Device, indexSelect, manualSeed, mul, nn, optim, sub } from 'wavelight';

const device = await Device.create();
const [batch, features, classes] = [16, 32, 4];

manualSeed(1);
const net = new nn.Sequential([new nn.Linear(features, 32), new nn.ReLU(), new nn.Linear(32, classes)]).to(
  device,
);
const adam = new optim.Adam(net.parameters(), { lr: 0.01 });

// Each sample is mixed with a partner: ratio * own + (1 - ratio) * partner, labels (as probabilities) alike.
const step = device.compile((x, labels, partner, ratio) => {
  const rest = sub(1, ratio);
  const inputs = add(mul(x, ratio), mul(indexSelect(x, 0, partner), rest));
  const targets = add(mul(labels, ratio), mul(indexSelect(labels, 0, partner), rest));
  adam.zeroGrad();
  const loss = crossEntropy(net.forward(inputs), targets);
  loss.backward();
  adam.step();
  return loss;
});

const x = {
  data: Float32Array.from({ length: batch * features }, (_, i) => Math.sin(i * i)),
  shape: [batch, features],
};
const oneHot = Float32Array.from({ length: batch * classes }, (_, i) =>
  Math.floor(i / classes) % classes === i % classes ? 1 : 0,
);
const labels = { data: oneHot, shape: [batch, classes] };

for (let i = 1; i <= 30; i++) {
  const partner = Int32Array.from({ length: batch }, (_, n) => (n + i) % batch);
  const ratio = { data: Float32Array.from({ length: batch }, () => Math.random()), shape: [batch, 1] };
  const loss = await step(x, labels, partner, ratio);
  if (i % 10 === 0) console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
}
