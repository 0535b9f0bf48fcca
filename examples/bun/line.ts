// Fits a line to points, in Bun: bun add wavelight webgpu koffi @sparticuz/chromium, then bun examples/bun/line.ts
// By Dawn (the package webgpu). The other two packages are the software adapter, for machines without a GPU.

import { Device, nn, optim } from 'wavelight';

const COUNT = 64;

const device = await Device.create();
console.log(`fitting on ${device.description.name}`);

const xs = Float32Array.from({ length: COUNT }, (_, i) => i / COUNT);
const x = device.tensor(xs, [COUNT, 1]);
const y = device.tensor(
  xs.map((value) => 3 * value - 1),
  [COUNT, 1],
);

const line = new nn.Linear(1, 1).to(device);
const sgd = new optim.SGD(line.parameters(), { lr: 0.5, momentum: 0.5 });
const step = device.compile(() => {
  sgd.zeroGrad();
  const loss = line.forward(x).sub(y).square().mean();
  loss.backward();
  sgd.step();
  return loss;
});
for (let i = 0; i < 200; i++) await step();

const state = await line.stateDict();
const [slope = 0] = state.get('weight')?.data ?? [];
const [offset = 0] = state.get('bias')?.data ?? [];
console.log(`y = ${slope.toFixed(3)} x + ${offset.toFixed(3)}`);
await device.destroy();
