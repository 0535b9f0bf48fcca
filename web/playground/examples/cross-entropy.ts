// Softmax cross entropy and its gradient

import { crossEntropy, Device, softmax } from 'wavelight';

const device = await Device.create();
const logits = device.tensor([2, 1, 0, -1, 0, 3], [2, 3], { requiresGrad: true });
const labels = device.tensor(Int32Array.of(0, 2));

// The gradient is (softmax - one-hot) / batch.
const step = device.compile(() => {
  logits.clearGrad();
  const loss = crossEntropy(logits, labels);
  loss.backward();
  return { loss, probabilities: softmax(logits, 1) };
});

const { loss, probabilities } = await step();
const gradient = await logits.grad?.data();
console.log('probabilities', await probabilities.data());
console.log('loss', await loss.item());
console.log('gradient', gradient);

const expected = Array.from(await probabilities.data(), (p, i) => (p - (i === 0 || i === 5 ? 1 : 0)) / 2);
const apart = Math.max(...expected.map((value, i) => Math.abs(value - (gradient?.[i] ?? NaN))));
console.log(`(softmax - one-hot) / 2 is at most ${apart.toExponential(1)} away`);
