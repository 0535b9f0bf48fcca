// Edges of a picture, in Deno: deno add npm:wavelight, then deno run examples/deno/edges.ts
// By Deno's own WebGPU. Where that finds no adapter: deno add npm:webgpu npm:koffi npm:@sparticuz/chromium, and run it with -A.

import { Device, conv2d } from 'wavelight';

const SIZE = 12;
const SOBEL = [
  [-1, 0, 1],
  [-2, 0, 2],
  [-1, 0, 1],
];

const device = await Device.create();
console.log(`edges on ${device.description.name}`);

// A square in the dark, [1, 1, height, width].
const inSquare = (i: number): boolean => i > 2 && i < 9;
const picture = Float32Array.from({ length: SIZE * SIZE }, (_, i) =>
  inSquare(i % SIZE) && inSquare(Math.floor(i / SIZE)) ? 1 : 0,
);
const x = device.tensor(picture, [1, 1, SIZE, SIZE]);
const edges = conv2d(x, device.tensor([[SOBEL]]), null, { padding: 1 }).abs();

const values = await edges.data();
for (let row = 0; row < SIZE; row++)
  console.log(Array.from(values.subarray(row * SIZE, (row + 1) * SIZE), (value) => ' .:-#'[value]).join(''));
await device.destroy();
