import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, Tensor } from '../../src/index.ts';
import { hashValues } from '../support/hash.ts';
import { readExpected, readJson, relativeError } from '../support/oracle.ts';
import { runOp, type OpCase } from '../support/ops.ts';
import { testDevice } from '../support/engine.ts';

/*
 * Every op against PyTorch in f64 (tools/op_cases.py): results within 1e-5 and gradients within 1e-4 in the relative
 * 2-norm, or three times PyTorch's own f32 distance where that is larger.
 */
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
  'crossEntropy',
  'movement',
];

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Runs a case; gives what it computed under the names of tools/op_reference.py. */
async function compute(
  device: Device,
  { name, op, attrs, inputs, shape }: OpCase,
): Promise<Map<string, ArrayLike<number>>> {
  const tensors = inputs.map((input, i) => {
    const values = hashValues(`${name}/x${i}`, count(input.shape), input.kind, input.scale);
    return device.tensor(values, input.shape, { requiresGrad: input.grad ?? false });
  });
  const outputs = runOp(op, tensors, attrs);
  expect(outputs.out.shape).toEqual(shape);
  if (outputs.out.requiresGrad) {
    outputs.out.backward(device.tensor(hashValues(`${name}/dy`, count(shape), 'uniform'), shape));
  }
  const gradients = tensors.flatMap(({ grad }, i): [string, Tensor][] =>
    grad === null ? [] : [[`grad${i}`, grad]],
  );
  const results = [...Object.entries(outputs), ...gradients];
  const data = await Promise.all(results.map(([, tensor]) => tensor.data()));
  for (const tensor of [...tensors, ...results.map(([, tensor]) => tensor)]) tensor.dispose();
  return new Map(results.map(([key], i) => [key, data[i] ?? []]));
}

describe.each(['cpu', 'gpu'] as const)('kernels for a %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ kind });
  });
  afterAll(() => device.destroy());

  describe.each(FAMILIES)('%s', (family) => {
    const { cases } = readJson(`ops/${family}.json`) as { cases: OpCase[] };
    const expected = readExpected(`ops/${family}.safetensors`);
    const worst = { forward: 0, gradient: 0 };
    afterAll(() => {
      const { forward, gradient } = worst;
      console.log(
        `${family} (${kind}): ${cases.length} cases, worst error forward ${forward.toExponential(1)}, gradients ${gradient.toExponential(1)}`,
      );
    });

    test.each(cases)('$name $op $attrs', async (one) => {
      const actual = await compute(device, one);
      expect([...actual.keys()].sort()).toEqual(Object.keys(one.f32).sort());
      for (const [key, distance] of Object.entries(one.f32)) {
        const reference = expected.get(`${one.name}/${key}`);
        if (reference === undefined) throw new Error(`the fixtures lack ${one.name}/${key}`);
        const error = relativeError(actual.get(key) ?? [], reference);
        const direction = key.startsWith('grad') ? 'gradient' : 'forward';
        worst[direction] = Math.max(worst[direction], error);
        expect(error, `relative error of ${key}`).toBeLessThanOrEqual(
          Math.max(direction === 'gradient' ? 1e-4 : 1e-5, 3 * distance),
        );
      }
    });
  });
});
