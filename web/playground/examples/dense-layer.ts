// A dense layer, trained

import { crossEntropy, Device, manualSeed, nn, optim } from 'wavelight';

const device = await Device.create();
console.log(`on ${device.description.name}`);

manualSeed(1);
const layer = new nn.Linear(64, 10).to(device);
const sgd = new optim.SGD(layer.parameters(), { lr: 0.5 });

// Nothing runs inside: the function is recorded once, planned, and replayed with each call.
const step = device.compile((x, labels) => {
  sgd.zeroGrad();
  const loss = crossEntropy(layer.forward(x), labels);
  loss.backward();
  sgd.step();
  return loss;
});

const x = { data: Float32Array.from({ length: 32 * 64 }, (_, i) => Math.sin(i * i)), shape: [32, 64] };
const labels = Int32Array.from({ length: 32 }, (_, i) => i % 10);

for (let i = 1; i <= 10; i++) {
  const loss = await step(x, labels);
  console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
}
