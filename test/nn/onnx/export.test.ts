import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DenseNetExtractor } from '../../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../../src/avsc/models/joint.ts';
import {
  dropout,
  manualSeed,
  mean,
  mul,
  nn,
  noGrad,
  softmax,
  sub,
  type Device,
  type Tensor,
} from '../../../src/index.ts';
import { exportOnnx, type OnnxOptions } from '../../../src/nn/onnx/export.ts';
import { encodeModel } from '../../../src/nn/onnx/model.ts';
import { hashValues } from '../../support/hash.ts';
import { hashWeight } from '../../support/hash_weights.ts';
import { collect, openOnnx } from '../../support/onnx.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const BARE = { name: 'net', description: '', metadata: new Map<string, string>() };
const x5: OnnxOptions['inputs'] = [{ name: 'x', shape: [5], description: '' }];
const ramp = (shape: readonly number[]) => {
  const data = hashValues(
    'ramp',
    shape.reduce((product, size) => product * size, 1),
    'uniform',
  );
  if (!(data instanceof Float32Array)) throw new TypeError('uniform values are f32');
  return { data, shape };
};

/** Largest difference of two arrays of one length. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN))).reduce(
    (x, y) => Math.max(x, y),
    0,
  );
}

describe('exportOnnx', () => {
  it('gives the joint net for any batch', async () => {
    manualSeed(3);
    const audio = new Fcnn({ features: 16, widths: [4, 6, 8] });
    const net = new JointNet(audio, new DenseNetExtractor({ growthRate: 4, blocks: [2, 2], stem: 8 }), 10);
    for (const [name, tensor] of net.namedTensors())
      tensor.set(Float32Array.from(hashWeight(name, tensor.shape)));
    net.to(device).eval();
    const forward = (sound: Tensor, frames: Tensor) => {
      const logits = net.forward(sound, frames);
      return { logits, probabilities: softmax(logits, 1) };
    };
    const model = await exportOnnx(device, net, {
      ...BARE,
      metadata: new Map([['classes', '["airport"]']]),
      inputs: [
        { name: 'audio', shape: [6, 128, 39], description: 'log-mel' },
        { name: 'frames', shape: [2, 3, 32, 32], description: 'pictures' },
      ],
      forward,
    });
    expect(model.fixedBatch).toBeNull();
    const file = await collect(model.pieces());
    expect(file.length).toBe(model.bytes);
    const text = new TextDecoder('latin1').decode(file);
    for (const name of net.namedTensors().keys()) expect(text).toContain(name);
    const session = await openOnnx(file);
    expect(session.inputNames).toEqual(['audio', 'frames']);
    for (const batch of [1, 3]) {
      const [sound, frames] = [ramp([batch, 6, 128, 39]), ramp([batch, 2, 3, 32, 32])];
      const there = await session.run(
        new Map([
          ['audio', sound],
          ['frames', frames],
        ]),
      );
      const here = noGrad(() =>
        forward(device.tensor(sound.data, sound.shape), device.tensor(frames.data, frames.shape)),
      );
      for (const [name, tensor] of Object.entries(here)) {
        const other = there.get(name);
        expect(other?.shape).toEqual([batch, 10]);
        const error = distance(other?.data ?? [], await tensor.data());
        console.log(`joint net, batch ${batch}: ${name} differ by at most ${error.toExponential(1)}`);
        expect(error).toBeLessThan(name === 'logits' ? 1e-4 : 1e-5);
      }
    }
  });

  it('leaves nothing on the device', async () => {
    const net = new nn.Linear(65_536, 3).to(device);
    await device.sync();
    const inputs = [{ name: 'x', shape: [65_536], description: '' }];
    const options = { ...BARE, inputs, forward: (x: Tensor) => ({ y: net.forward(x) }) };
    await collect((await exportOnnx(device, net, options)).pieces());
    await device.sync();
    const before = device.counters;
    for (let i = 0; i < 5; i++) await collect((await exportOnnx(device, net, options)).pieces());
    await device.sync();
    expect(device.counters.bytesHeld).toBe(before.bytesHeld);
  });

  it('holds what the function makes itself, and sums over the batch', async () => {
    const net = new nn.Linear(5, 3).to(device);
    const free = await exportOnnx(device, net, {
      ...BARE,
      inputs: x5,
      forward: (x) => ({ y: mul(net.forward(x), device.tensor([1, 2, 3])) }),
    });
    expect(free.fixedBatch).toBeNull();
    const averaged = await exportOnnx(device, net, {
      ...BARE,
      inputs: x5,
      forward: (x) => ({ y: sub(net.forward(x), mean(x)) }),
    });
    expect(averaged.fixedBatch).toBeNull();
    const x = ramp([1, 5]);
    const [a, b] = await Promise.all(
      [free, averaged].map(async (model) => openOnnx(await collect(model.pieces()))),
    );
    const plain = await noGrad(() => net.forward(device.tensor(x.data, x.shape))).data();
    const scaled = (await a?.run(new Map([['x', x]])))?.get('y')?.data ?? [];
    expect(
      distance(
        scaled,
        plain.map((value, i) => value * (i + 1)),
      ),
    ).toBeLessThan(1e-6);
    const average = x.data.reduce((sum, value) => sum + value / 5, 0);
    const moved = (await b?.run(new Map([['x', x]])))?.get('y')?.data ?? [];
    expect(
      distance(
        moved,
        plain.map((value) => value - average),
      ),
    ).toBeLessThan(1e-6);
  });

  it('is for one sample where the recording depends on the batch', async () => {
    const net = new nn.Linear(5, 3).to(device);
    const model = await exportOnnx(device, net, {
      ...BARE,
      inputs: x5,
      forward: (x) => ({
        y: net
          .forward(x)
          .reshape([x.shape[0] ?? 1, 1, 3])
          .expand([-1, x.shape[0] ?? 1, 3]),
      }),
    });
    expect(model.fixedBatch).toMatch(/node \/Expand_\d+ depends on the batch/);
    const session = await openOnnx(await collect(model.pieces()));
    const there = await session.run(new Map([['x', ramp([1, 5])]]));
    expect(there.get('y')?.shape).toEqual([1, 1, 3]);
    await expect(session.run(new Map([['x', ramp([2, 5])]]))).rejects.toThrow();
  });

  it('names an op that has no mapping', async () => {
    const net = new nn.Sequential([new nn.Linear(5, 3), new nn.BatchNorm2d(3)]).to(device);
    const options = { ...BARE, inputs: x5, forward: (x: Tensor) => ({ y: net.forward(x) }) };
    await expect(exportOnnx(device, net.train(), options)).rejects.toThrow(
      "the op 'batchNorm statistics' has no ONNX mapping: export a net in evaluation mode",
    );
    await expect(exportOnnx(device, net.eval(), options)).resolves.toHaveProperty('fixedBatch', null);
    const random = { ...options, forward: (x: Tensor) => ({ y: dropout(x) }) };
    await expect(exportOnnx(device, net, random)).rejects.toThrow("the op 'dropout' has no ONNX mapping");
    // A failed export leaves the device usable.
    expect(await net.forward(device.tensor([1, 2, 3, 4, 5], [1, 5])).data()).toHaveLength(3);
  });

  it('refuses what one file cannot hold', () => {
    const bytes = { length: 2 ** 31, load: () => Promise.reject(new Error('is not read')) };
    const weights = [{ name: 'w', dtype: 'f32', shape: [2 ** 29], bytes }] as const;
    const graph = { nodes: [], constants: new Map(), outputs: new Map() };
    expect(() => encodeModel({ ...BARE, inputs: [], weights, graph })).toThrow(
      /the model takes \d+ bytes and an ONNX file holds at most 2147483647: export it as safetensors/,
    );
  });
});
