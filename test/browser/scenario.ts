// What runs alike in the page and in Node: gives numbers to compare, computed from hashed inputs.

import {
  createModel,
  findStage,
  LogMelExtractor,
  logitsOf,
  preset,
  SAMPLE_RATE,
} from '../../src/avsc/index.ts';
import {
  conv2d,
  crossEntropy,
  matmul,
  nn,
  noGrad,
  optim,
  relu,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import { hashIndices, normal, uniform } from '../support/hash.ts';
import { hashWeight } from '../support/hash_weights.ts';

/** Arrays by name, as plain numbers, which pass from a page to Node. */
export type Numbers = Record<string, number[]>;

async function read(tensors: Readonly<Record<string, Tensor | null>>): Promise<Numbers> {
  const entries = Object.entries(tensors).map(async ([name, tensor]): Promise<[string, number[]]> => {
    if (tensor === null) throw new Error(`${name} has no gradient`);
    return [name, Array.from(await tensor.data())];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** conv2d forward and backward. */
export async function convolution(device: Device): Promise<Numbers> {
  const x = device.tensor(normal('x', 2 * 5 * 13 * 11), [2, 5, 13, 11], { requiresGrad: true });
  const weight = device.tensor(normal('w', 7 * 5 * 9), [7, 5, 3, 3], { requiresGrad: true });
  const bias = device.tensor(uniform('b', 7), [7], { requiresGrad: true });
  const y = conv2d(x, weight, bias, { stride: 2, padding: 1 });
  y.mul(device.tensor(uniform('dy', y.numel), y.shape))
    .sum()
    .backward();
  return read({ y, dx: x.grad, dweight: weight.grad, dbias: bias.grad });
}

/** Three compiled steps of Adam on a net with convolution, batch norm and a linear layer. */
export async function training(device: Device): Promise<Numbers> {
  const net = new nn.Sequential({
    conv: new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }),
    norm: new nn.BatchNorm2d(8),
    relu: new nn.ReLU(),
    pool: new nn.AdaptiveAvgPool2d(2),
    flatten: new nn.Flatten(),
    head: new nn.Linear(32, 4),
  });
  for (const [name, entry] of net.namedTensors()) entry.set(new Float32Array(hashWeight(name, entry.shape)));
  net.to(device);
  const adam = new optim.Adam(net.parameters(), { lr: 0.01 });
  const step = device.compile((images: Tensor, labels: Tensor) => {
    adam.zeroGrad();
    const loss = crossEntropy(net.forward(images), labels);
    loss.backward();
    adam.step();
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    const images = { data: normal(`images ${i}`, 6 * 3 * 8 * 8), shape: [6, 3, 8, 8] };
    const labels = { data: hashIndices(`labels ${i}`, 6, 4), shape: [6] };
    losses.push(await (await step(images, labels)).item());
  }
  const state = [...(await net.stateDict())].map(([name, { data }]): [string, number[]] => [
    name,
    Array.from(data),
  ]);
  return { losses, ...Object.fromEntries(state) };
}

/** A second of noise to features, and the small joint net's logits on them and on noise for pictures. */
export async function scenes(device: Device): Promise<Numbers> {
  const features = new LogMelExtractor().extract([
    uniform('left', SAMPLE_RATE),
    uniform('right', SAMPLE_RATE),
  ]);
  const small = preset('small');
  const joint = createModel(small, findStage(small, 'joint'));
  const { net } = joint;
  for (const [name, entry] of net.namedTensors()) entry.set(new Float32Array(hashWeight(name, entry.shape)));
  net.to(device).eval();
  const size = small.imageSize;
  const frames = device.tensor(normal('frames', 2 * 3 * size * size), [1, 2, 3, size, size]);
  const sound = device.tensor(features.data, [1, ...features.shape]);
  const { logits } = await read({ logits: noGrad(() => logitsOf(joint, { audio: sound, video: frames })) });
  return { features: Array.from(features.data), logits: logits ?? [] };
}

/** A few ops on a device of the caller's, for as long as the caller keeps it. */
export async function shared(device: Device): Promise<Numbers> {
  const a = device.tensor(uniform('a', 12), [3, 4]);
  const b = device.tensor(uniform('b', 20), [4, 5]);
  return read({ product: relu(matmul(a, b)) });
}
