import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device, Tensor } from '../../../src/index.ts';
import { fixedBatch } from '../../../src/nn/onnx/batch.ts';
import { encodeModel } from '../../../src/nn/onnx/model.ts';
import { traceGraph } from '../../../src/nn/onnx/trace.ts';
import { loadPieces } from '../../../src/nn/onnx/protobuf.ts';
import { weightsOf } from '../../../src/nn/onnx/weights.ts';
import { hashValues, type HashKind } from '../../support/hash.ts';
import { collect, openOnnx } from '../../support/onnx.ts';
import { readExpected, readJson, relativeError } from '../../support/oracle.ts';
import { runOp, type Attrs } from '../../support/ops.ts';
import { testDevice } from '../../support/engine.ts';

/* The cases of test/tensor/ops.test.ts, exported and run by ONNX Runtime, against the same results of PyTorch in f64. */
const FAMILIES = [
  'matmul',
  'linear',
  'conv2d',
  'batchNorm2d',
  'pool',
  'unary',
  'binary',
  'reduce',
  'softmax',
  'movement',
];

interface Case {
  readonly name: string;
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly { shape: number[]; kind: HashKind; scale?: number }[];
}

/** What has no mapping, and why. */
const UNMAPPED = /windows of several sizes|counts its padding|'batchNorm statistics' has no ONNX mapping/;

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const valuesOf = ({ name, inputs }: Case) =>
  inputs.map(({ shape, kind, scale }, i) => hashValues(`${name}/x${i}`, count(shape), kind, scale));

/** All cases as one model, whose inputs are the cases'; integers are held in the graph. */
function traceCases(cases: readonly Case[]) {
  const floats = cases.flatMap((one) =>
    valuesOf(one).flatMap((data, i) =>
      data instanceof Float32Array
        ? [{ name: `${one.name}/x${i}`, shape: one.inputs[i]?.shape ?? [], data }]
        : [],
    ),
  );
  const forward = (...given: Tensor[]): Record<string, Tensor> => {
    const left = [...given];
    const results = cases.map((one) => {
      const inputs = valuesOf(one).map((data, i) => {
        const input = data instanceof Float32Array ? left.shift() : device.tensor(data, one.inputs[i]?.shape);
        if (input === undefined) throw new Error(`${one.name} lacks input ${i}`);
        return input;
      });
      return [one.name, runOp(one.op, inputs, one.attrs).out] as const;
    });
    return Object.fromEntries(results);
  };
  const shapes = new Map(floats.map(({ name, shape }) => [name, shape]));
  return { traced: traceGraph(device, shapes, forward, new Map()), floats };
}

describe('ONNX of ops', () => {
  it.each(FAMILIES)('%s', async (family) => {
    const { cases } = readJson(`ops/${family}.json`) as { cases: Case[] };
    const expected = readExpected(`ops/${family}.safetensors`);
    const mapped = cases.filter((one) => {
      try {
        traceCases([one]);
        return true;
      } catch (error) {
        expect(String(error)).toMatch(UNMAPPED);
        return false;
      }
    });
    expect(mapped.length).toBeGreaterThan(cases.length / 3);
    const { traced, floats } = traceCases(mapped);
    const pieces = encodeModel({
      name: family,
      description: '',
      metadata: new Map(),
      inputs: floats.map(({ name, shape }) => ({ name, dims: shape, dtype: 'f32', description: '' })),
      weights: await weightsOf(device, traced, new Map()),
      graph: fixedBatch(traced),
    });
    const model = await openOnnx(await collect(loadPieces(pieces)));
    const results = await model.run(new Map(floats.map(({ name, data, shape }) => [name, { data, shape }])));
    let worst = 0;
    for (const { name } of mapped) {
      const result = results.get(name);
      const reference = expected.get(`${name}/out`);
      if (result === undefined || reference === undefined) throw new Error(`${name} is missing`);
      expect(result.shape, name).toEqual(traced.outputs.get(name)?.shape);
      const error = relativeError(result.data, reference);
      expect(error, name).toBeLessThan(2e-5);
      worst = Math.max(worst, error);
    }
    console.log(
      `${family}: ${mapped.length} of ${cases.length} cases, worst error ${worst.toExponential(1)}`,
    );
  });
});
