// A gradient against central differences

import { conv2d, Device, gradcheck, tanh } from 'wavelight';

const device = await Device.create();
const values = Float32Array.from({ length: 54 }, (_, i) => Math.sin(i * i));
const x = device.tensor(values.slice(0, 50), [1, 2, 5, 5], { requiresGrad: true });
const weight = device.tensor(values, [3, 2, 3, 3], { requiresGrad: true });

// The function may be any composition of ops; inputs are leaves that require a gradient.
const { passed, errors } = await gradcheck(
  (x, weight) => tanh(conv2d(x, weight, null, { stride: 2, padding: 1 })),
  [x, weight],
);
console.log(passed ? 'the gradients agree' : 'the gradients differ');
for (const [i, name] of ['x', 'weight'].entries())
  console.log(
    `d/d${name}: ${(errors[i] ?? NaN).toExponential(1)} away from central differences (relative norm)`,
  );

const step = device.compile(() => {
  x.clearGrad();
  weight.clearGrad();
  const y = tanh(conv2d(x, weight, null, { stride: 2, padding: 1 }));
  y.sum().backward();
  return y;
});
console.log('forward:', await (await step()).data());
