import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as engine from '../../src/index.ts';
import { bundle } from '../browser/bundle.ts';
import { testDevice } from '../support/engine.ts';

const { nn, optim } = engine;

type Engine = typeof engine;

let folder: string;
/** The package again, as a second bundle in a page would bring it. */
let other: Engine;
let device: engine.Device;
let foreign: engine.Device;
/** Of the same copy, but another device. */
let second: engine.Device;
let ours: engine.Tensor;
let theirs: engine.Tensor;
let elsewhere: engine.Tensor;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wavelight-copy-'));
  const { files } = await bundle({ index: 'src/index.ts' });
  for (const [name, code] of files) writeFileSync(join(folder, name), code);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  other = (await import(pathToFileURL(join(folder, 'index.js')).href)) as Engine;
  device = await testDevice();
  second = await testDevice();
  foreign = await other.Device.create({ gpuDevice: device.gpu.device });
  ours = device.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  theirs = foreign.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  elsewhere = second.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
});
afterAll(async () => {
  await Promise.all([device.destroy(), second.destroy(), foreign.destroy()]);
  rmSync(folder, { recursive: true, force: true });
});

/** The message that `fn` throws or rejects with. */
async function messageOf(fn: () => unknown): Promise<string> {
  try {
    await fn();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'nothing was thrown';
}

/** Makes a tensor of ones on the device in question. */
type Make = (shape: readonly number[], dtype?: 'f32' | 'i32') => engine.Tensor;

const makeOn =
  (on: engine.Device): Make =>
  (shape, dtype = 'f32') =>
    on.tensor(
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 1),
      shape,
      { dtype },
    );

/** The ops with one tensor of another device among their operands, at every place that takes one. */
const OPS: Readonly<Record<string, (of: Make) => unknown>> = {
  'conv2d x': (of) => engine.conv2d(of([1, 1, 2, 2]), ours),
  'conv2d weight': (of) => engine.conv2d(ours, of([1, 1, 2, 2])),
  'conv2d bias': (of) => engine.conv2d(ours, ours, of([1])),
  add: (of) => engine.add(ours, of([1, 1, 2, 2])),
  'add, first': (of) => engine.add(of([1]), ours),
  'mul as a method': (of) => ours.mul(of([1])),
  div: (of) => engine.div(ours, of([1])),
  maximum: (of) => engine.maximum(ours, of([1])),
  eq: (of) => engine.eq(ours, of([1])),
  matmul: (of) => engine.matmul(ours, of([2, 2])),
  'matmul as a method': (of) => ours.matmul(of([2, 2])),
  linear: (of) => engine.linear(ours, of([2, 2])),
  concat: (of) => engine.concat([ours, of([1, 1, 2, 2])]),
  stack: (of) => engine.stack([ours, of([1, 1, 2, 2])]),
  'where condition': (of) => engine.where(of([1]), ours, ours),
  'where value': (of) => engine.where(ours, ours, of([1])),
  indexSelect: (of) => engine.indexSelect(ours, 3, of([1], 'i32')),
  batchNorm2d: (of) => engine.batchNorm2d(ours, { weight: of([1]), training: true }),
  crossEntropy: (of) => engine.crossEntropy(device.tensor([[1, 2]]), of([1], 'i32')),
  'forward of a layer': (of) => new nn.Conv2d(1, 1, 1).to(device).forward(of([1, 1, 2, 2])),
  'forward of a norm': (of) => new nn.BatchNorm2d(1).to(device).forward(of([1, 1, 2, 2])),
};

const BY_ANOTHER_COPY =
  'made by another copy of wavelight (two versions or bundles in one page, or a hot reload)';

describe('a tensor of another copy', () => {
  it('really comes from one', async () => {
    expect(theirs).not.toBeInstanceOf(engine.Tensor);
    expect([...(await theirs.relu().data())]).toEqual([1, 2, 3, 4]);
  });

  it.each(Object.keys(OPS))('is refused by %s', async (name) => {
    expect(await messageOf(() => OPS[name]?.(makeOn(foreign)))).toMatch(
      new RegExp(
        `^\\w+(: [\\w ]+)? got a tensor ${BY_ANOTHER_COPY.replace(/[()]/g, '\\$&')}: import one copy`,
      ),
    );
  });

  it.each<[string, () => unknown]>([
    ['x.relu of the other copy', () => other.relu(ours)],
    ['a net of the other copy', () => new other.nn.Conv2d(1, 1, 1).to(foreign).forward(ours)],
    ['an input of a compiled function', () => device.compile((x) => x.relu())(theirs)],
    ['a result of a compiled function', () => device.compile((x) => [x, theirs])(ours)],
    ['a gradient', () => (device.tensor([1, 2, 3, 4], [1, 1, 2, 2]).grad = theirs)],
    ['the seed of backward', () => leaf().mul(2).backward(theirs)],
    ['a parameter', () => new optim.Adam([theirs], { lr: 0.1 })],
    ['data', () => device.tensor(theirs as never)],
    ['gradcheck', () => engine.gradcheck((x) => x, [theirs])],
    ['an option', () => engine.softmax(ours, theirs as never)],
  ])('is refused as %s', async (_, fn) => {
    expect(await messageOf(fn)).toContain(`a tensor ${BY_ANOTHER_COPY}`);
  });
});

const leaf = (on = device): engine.Tensor =>
  on.tensor([1, 2, 3, 4], { requiresGrad: true }).reshape([1, 1, 2, 2]);

describe('a module or device of another copy', () => {
  class Net extends nn.Module {
    readonly layers: readonly engine.nn.Layer[] = [new other.nn.Linear(2, 2)];
  }

  it.each<[string, string, () => unknown]>([
    ['Sequential', 'module', () => new nn.Sequential([new other.nn.ReLU()])],
    ['a net of your own', 'module', () => new Net().to(device)],
    ['parameters()', 'module', () => new Net().parameters()],
    ['exportOnnx', 'module', () => nn.exportOnnx(device, new other.nn.ReLU(), { inputs: [], forward: () => ({}) } as never)], // prettier-ignore
    ['to(device)', 'device', () => new nn.Linear(2, 2).to(foreign)],
    ['randn', 'device', () => engine.randn(foreign, [2])],
  ])('is refused by %s', async (_, kind, fn) => {
    expect(await messageOf(fn)).toContain(`a ${kind} ${BY_ANOTHER_COPY}`);
  });
});

describe('a tensor of another device', () => {
  it.each(Object.keys(OPS))('is refused by %s', async (name) => {
    expect(await messageOf(() => OPS[name]?.(makeOn(second)))).toMatch(
      /^[\w ]+: the tensors lie on different devices: make them by one device, and move modules there by to\(device\)$/,
    );
  });

  it.each<[string, () => unknown, string]>([
    ['an input of a compiled function', () => device.compile((x) => x.relu())(elsewhere), 'input 0 of a compiled function lies on another device'], // prettier-ignore
    ['a capture of a compiled function', () => device.compile((x) => x.add(elsewhere))(ours), 'add: the tensors lie on different devices'], // prettier-ignore
    ['work within a compiled function', () => device.compile((x) => (elsewhere.relu(), x))(ours), 'relu: its tensors lie on another device than the compiled function'], // prettier-ignore
    ['a result of a compiled function', () => device.compile(() => elsewhere)(), 'the result of a compiled function lies on another device'], // prettier-ignore
    ['a gradient', () => (device.tensor([1, 2, 3, 4], [1, 1, 2, 2]).grad = elsewhere), 'grad: the gradient lies on another device'], // prettier-ignore
    ['the seed of backward', () => leaf().mul(2).backward(elsewhere), 'backward: the gradient lies on another device'], // prettier-ignore
    ['parameters', () => new optim.Adam([device.tensor([1], { requiresGrad: true }), second.tensor([1], { requiresGrad: true })], { lr: 0.1 }), 'the parameters of an optimiser lie on different devices: make one for each'], // prettier-ignore
    [
      'a net',
      () => new nn.Linear(2, 2).to(device).to(second),
      'a module moves to another device with a state dict',
    ],
    ['gradcheck', () => engine.gradcheck((a, b) => a.mul(b).sum(), [device.tensor([1], { requiresGrad: true }), second.tensor([1])]), 'different devices'], // prettier-ignore
  ])('is refused as %s', async (_, fn, message) => {
    expect(await messageOf(fn)).toContain(message);
  });

  it('leaves both devices working', async () => {
    expect([...(await ours.add(ours).data())]).toEqual([2, 4, 6, 8]);
    expect([...(await elsewhere.relu().data())]).toEqual([1, 2, 3, 4]);
    const step = device.compile((x) => x.mul(2));
    expect([...(await (await step(ours)).data())]).toEqual([2, 4, 6, 8]);
  });
});
