// Trains a small convolutional net and saves it: node examples/train.ts [FILE]

import { writeFile } from 'node:fs/promises';
import { crossEntropy, Device, manualSeed, nn, optim } from 'wavelight';
import { makeNet, makeStripes, SIZE } from './stripes.ts';

const BATCH = 32;
const file = process.argv[2] ?? 'stripes.safetensors';

manualSeed(1);
const device = await Device.create();
console.log(`training on ${device.description.name}`);

const net = makeNet().to(device);
const adam = new optim.Adam(net.parameters(), { lr: 0.01 });

// Traced once, replayed after: one submit a step, nothing allocated.
const step = device.compile((images, labels) => {
  adam.zeroGrad();
  const loss = crossEntropy(net.forward(images), labels);
  loss.backward();
  adam.step();
  return loss;
});

for (let i = 0; i < 40; i++) {
  const { images, labels } = makeStripes(BATCH);
  const loss = await step({ data: images, shape: [BATCH, 1, SIZE, SIZE] }, { data: labels, shape: [BATCH] });
  // Reading is the only thing that waits for the device.
  if (i % 10 === 9) console.log(`step ${i + 1}: loss ${(await loss.item()).toFixed(3)}`);
}

await writeFile(file, nn.writeSafetensors(await net.stateDict()));
console.log(`saved ${file}`);
await device.destroy();
