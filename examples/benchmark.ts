// Times one op at one size, alone on the device: node examples/benchmark.ts [SIZE]

import { Device, matmul, randn } from 'wavelight';

const REPEATS = 10;
const size = Number(process.argv[2] ?? 256);

const device = await Device.create({ profile: 'fast' });
const [a, b] = [randn(device, [size, size]), randn(device, [size, size])];
const multiply = device.compile((x, y) => matmul(x, y));

// The first call compiles.
await multiply(a, b);
await device.sync();
const start = performance.now();
for (let i = 0; i < REPEATS; i++) await multiply(a, b);
await device.sync();
const milliseconds = (performance.now() - start) / REPEATS;

const { flops } = multiply.statistics();
const rate = (flops / milliseconds / 1e6).toFixed(1);
console.log(`${size}^3 on ${device.description.name}: ${milliseconds.toFixed(2)} ms, ${rate} GFLOP/s`);
await device.destroy();
