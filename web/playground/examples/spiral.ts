// Two spirals, learned live

import { crossEntropy, Device, manualSeed, nn, optim, softmax } from 'wavelight';
import { canvas } from 'playground';

const device = await Device.create();
manualSeed(3);
const net = new nn.Sequential([
  new nn.Linear(2, 64),
  new nn.ReLU(),
  new nn.Linear(64, 64),
  new nn.ReLU(),
  new nn.Linear(64, 2),
]).to(device);
const adam = new optim.Adam(net.parameters(), { lr: 0.01 });

const step = device.compile((points, labels) => {
  adam.zeroGrad();
  const loss = crossEntropy(net.forward(points), labels);
  loss.backward();
  adam.step();
  return loss;
});
const judge = device.compile((points) => softmax(net.forward(points), 1));

// 128 points of two spirals within [-1, 1].
const labels = Int32Array.from({ length: 128 }, (_, i) => i % 2);
const points = Float32Array.from({ length: 256 }, (_, k) => {
  const i = k >> 1;
  const radius = 0.1 + (0.85 * i) / 128;
  const angle = (9 * i) / 128 + Math.PI * (i % 2);
  return radius * (k % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
});

// A grid of 32 x 32 points, which the net judges for the picture.
const side = 32;
const grid = Float32Array.from({ length: 2 * side * side }, (_, k) => {
  const i = k >> 1;
  return (2 * (k % 2 === 0 ? i % side : Math.floor(i / side)) + 1) / side - 1;
});
const pen = canvas.getContext('2d');
const pixels = new OffscreenCanvas(side, side);

async function draw() {
  const shares = await (await judge({ data: grid, shape: [side * side, 2] })).data();
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const share = shares[2 * i] ?? 0;
    image.data.set([70 + 150 * share, 110, 220 - 150 * share, 255], 4 * i);
  }
  pixels.getContext('2d')?.putImageData(image, 0, 0);
  if (pen === null) return;
  pen.drawImage(pixels, 0, 0, canvas.width, canvas.height);
  for (let i = 0; i < 128; i++) {
    pen.fillStyle = i % 2 === 0 ? '#ffd8b0' : '#10204a';
    const [x, y] = [points[2 * i] ?? 0, points[2 * i + 1] ?? 0];
    pen.fillRect(((x + 1) / 2) * canvas.width - 3, ((y + 1) / 2) * canvas.height - 3, 6, 6);
  }
}

for (let i = 1; i <= 150; i++) {
  const loss = await step({ data: points, shape: [128, 2] }, labels);
  if (i % 10 !== 0) continue;
  await draw();
  if (i % 50 === 0) console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
}
