import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { noGrad, type Device } from '../../src/index.ts';
import type { Layer, Module } from '../../src/nn/module.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import { elementCount } from '../../src/tensor/graph/shape.ts';
import { hashValues } from './hash.ts';
import { hashWeight } from './hash_weights.ts';
import { readExpected, readJson, relativeError } from './oracle.ts';

/** Tensors of a case, with the distance of PyTorch's f32 from its f64. */
export interface ComparedTensors {
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly f32: number;
    readonly typical: number;
    /** The tensor is zero but for rounding, and its norm stands for the error. */
    readonly zero?: true;
  }[];
}

/** What tools/model_cases.py writes of a net. */
interface NetFixture extends ComparedTensors {
  readonly seed: string;
  readonly input: readonly number[];
}

/** A net's weights from the hash. */
export const hashWeights = (net: Module): Map<string, HostTensor> =>
  new Map([...net.namedTensors()].map(([key, { shape }]) => [key, { shape, data: hashWeight(key, shape) }]));

/** Shape and hash of each tensor, which compare faster than millions of elements. */
export const digests = (state: ReadonlyMap<string, HostTensor>) =>
  [...state].map(([name, { shape, data }]) => {
    return `${name} [${shape.join()}] ${createHash('sha256').update(data).digest('hex')}`;
  });

/** The net with weights from the hash, on the device. */
export function loadHashWeights<M extends Module>(device: Device, net: M): M {
  net.loadStateDict(hashWeights(net));
  return net.to(device);
}

/** As in tools/model_cases.py: 4 x 4 patches of one value each, and some noise. */
export function patterned(name: string, shape: readonly number[]): Float32Array {
  const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const count = elementCount(shape);
  const images = count / (height * width);
  const patches = hashValues(`${name}/patches`, images * 16, 'uniform');
  const noise = hashValues(name, count, 'uniform');
  return Float32Array.from(noise, (value, i) => {
    const [image, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const patch = image * 16 + Math.floor((y * 4) / height) * 4 + Math.floor((x * 4) / width);
    return Math.fround((patches[patch] ?? 0) + Math.fround(Math.fround(0.2) * value));
  });
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/**
 * A net with weights from the hash against PyTorch in f64 (fixtures models/NAME): outputs within 1e-5, gradients
 * within 1e-4 in the relative 2-norm, or three times the worst that PyTorch's own f32 gives where that is larger; and the
 * median over many tensors at most one and a half times what PyTorch's f32 gives typically. In f16 it is PyTorch's
 * f32 with f16 storage beside which the errors are judged. (One tensor has no median: GPUs' kernels
 * add up a sum of 5,184 products one after another, PyTorch's CPU kernels in blocks, and FCNN's output is twice as far off.)
 */
export async function checkNet(
  device: Device,
  name: string,
  made: Layer,
  precision: Precision = 'f32',
): Promise<void> {
  const fixture = readJson(`models/${name}.json`) as NetFixture;
  const results = await runNet(device, loadHashWeights(device, made), fixture, precision);
  compareTensors(name, precision === 'f16' ? inHalves(name, fixture) : fixture, results);
}

/** Distances from f64 of PyTorch with maps, their gradients and weights stored as f16 (tools/half_cases.py). */
interface HalfFixture {
  readonly nets: readonly {
    readonly net: string;
    readonly tensors: Readonly<Record<string, { readonly worst: number; readonly typical: number }>>;
  }[];
}

/** The fixture with what PyTorch's f16 gives in the place of its f32. */
function inHalves(name: string, fixture: NetFixture): NetFixture {
  const { nets } = readJson('models/half.json') as HalfFixture;
  const half = nets.find(({ net }) => net === name)?.tensors ?? {};
  const tensors = fixture.tensors.map((tensor) => {
    const { worst, typical } = half[tensor.name] ?? {};
    if (worst === undefined || typical === undefined)
      throw new Error(`half.json lacks ${tensor.name} of ${name}`);
    return { ...tensor, f32: worst, typical };
  });
  return { ...fixture, tensors };
}

/** Compares a net's results with those in the fixtures, as `checkNet` says. */
export function compareTensors(
  name: string,
  fixture: ComparedTensors,
  results: ReadonlyMap<string, ArrayLike<number>>,
): void {
  const expected = readExpected(`models/${name}.safetensors`);
  expect([...results.keys()].sort()).toEqual(fixture.tensors.map((tensor) => tensor.name).sort());
  const errors = fixture.tensors.map(({ name: key, f32, typical, zero = false }) => {
    const reference = expected.get(key);
    if (reference === undefined) throw new Error(`the fixtures lack ${key} of ${name}`);
    const values = results.get(key) ?? [];
    const error = zero ? norm(values) : relativeError(values, reference);
    const limit = Math.max(key.startsWith('grad/') ? 1e-4 : 1e-5, 3 * f32);
    return { key, error, typical, zero, limit };
  });
  for (const kind of ['eval', 'train', 'grad', 'stat']) {
    const group = errors.filter(({ key, zero }) => key.startsWith(kind) && !zero);
    if (group.length === 0) continue;
    const [ours, theirs] = [group.map(({ error }) => error), group.map(({ typical }) => typical)];
    const show = (values: number[]) =>
      `${median(values).toExponential(1)} median, ${Math.max(...values).toExponential(1)} worst`;
    console.log(`${name} ${kind}: error ${show(ours)} (PyTorch, typically: ${show(theirs)})`);
    if (group.length === 1) continue;
    expect(median(ours), `median error of ${kind}`).toBeLessThanOrEqual(Math.max(1e-5, 1.5 * median(theirs)));
  }
  expect(errors.filter(({ error, limit }) => !(error <= limit))).toEqual([]);
}

/** Outputs in both modes, gradients of sum(output * dy), and running statistics after the training pass. */
async function runNet(
  device: Device,
  net: Layer,
  { seed, input }: NetFixture,
  precision: Precision,
): Promise<Map<string, ArrayLike<number>>> {
  const x = device.tensor(hashValues(`${seed}/x`, elementCount(input), 'uniform'), input, {
    requiresGrad: true,
  });
  const results = new Map<string, ArrayLike<number>>();
  // Compiled, as trainings are: what eager code holds on to cannot be fused away.
  const evaluate = device.compile(() => noGrad(() => net.eval().forward(x)), { precision });
  const evaluated = await evaluate();
  results.set('eval/out', await evaluated.data());
  const dy = device.tensor(hashValues(`${seed}/dy`, evaluated.numel, 'uniform'), evaluated.shape);
  const train = device.compile(
    () => {
      const out = net.train().forward(x);
      out.backward(dy);
      return out;
    },
    { precision },
  );
  results.set('train/out', await (await train()).data());
  results.set('grad/input', (await x.grad?.data()) ?? []);
  for (const [key, { grad }] of net.namedParameters()) results.set(`grad/${key}`, (await grad?.data()) ?? []);
  for (const [key, statistic] of net.namedBuffers()) results.set(`stat/${key}`, await statistic.data());
  evaluate.dispose();
  train.dispose();
  net.dispose();
  return results;
}

const norm = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
