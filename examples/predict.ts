// Loads what train.ts saved and predicts: node examples/predict.ts [FILE]

import { readFile } from 'node:fs/promises';
import { Device, nn, noGrad } from 'wavelight';
import { CLASSES, makeNet, makeStripes, SIZE } from './stripes.ts';

const COUNT = 60;
const { tensors } = nn.readSafetensors(await readFile(process.argv[2] ?? 'stripes.safetensors'));

const device = await Device.create();
const net = makeNet();
// Strict: throws with a list of all names and shapes that do not fit.
net.loadStateDict(tensors);
net.to(device).eval();

const { images, labels } = makeStripes(COUNT);
const classes = await noGrad(() => {
  const logits = net.forward(device.tensor(images, [COUNT, 1, SIZE, SIZE]));
  return logits.argmax({ dim: 1 });
}).data();

const right = labels.filter((label, i) => label === classes[i]).length;
console.log(`the first is ${CLASSES[labels[0] ?? 0]}, the net says ${CLASSES[classes[0] ?? 0]}`);
console.log(`${right} of ${COUNT} right`);
await device.destroy();
