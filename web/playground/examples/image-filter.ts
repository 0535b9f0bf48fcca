// Edges of a picture, without leaving the GPU

import { add, conv2d, Device, sqrt, square } from 'wavelight';
import 'wavelight/pixels';
import { canvas } from 'playground';

const device = await Device.create();

// A picture to look at: discs on a gradient.
const source = new OffscreenCanvas(128, 128);
const pen = source.getContext('2d');
if (pen === null) throw new Error('this browser draws nothing here');
const sky = pen.createLinearGradient(0, 0, 128, 128);
sky.addColorStop(0, '#204060');
sky.addColorStop(1, '#c0a080');
pen.fillStyle = sky;
pen.fillRect(0, 0, 128, 128);
for (let i = 0; i < 6; i++) {
  pen.fillStyle = `hsl(${60 * i} 80% 60%)`;
  pen.beginPath();
  pen.arc(24 + 16 * i, 24 + ((53 * i) % 80), 14, 0, 2 * Math.PI);
  pen.fill();
}

// Sobel's filters on the luma: two convolutions.
const luma = device.tensor([0.299, 0.587, 0.114], [1, 3, 1, 1]);
const across = device.tensor([-1, 0, 1, -2, 0, 2, -1, 0, 1], [1, 1, 3, 3]);
const down = device.tensor([-1, -2, -1, 0, 0, 0, 1, 2, 1], [1, 1, 3, 3]);
const edges = device.compile((picture) => {
  const grey = conv2d(picture, luma);
  const dx = conv2d(grey, across, null, { padding: 1 });
  const dy = conv2d(grey, down, null, { padding: 1 });
  return sqrt(add(square(dx), square(dy)));
});

const picture = device.fromPixels(source);
const result = await edges(picture);
await result.toCanvas(canvas);
console.log(`drawn: [${result.shape.join(', ')}], mean ${(await result.mean().item()).toFixed(4)}`);
