import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { neg, type Device, type Tensor } from '../../src/index.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues, type HashKind } from '../support/hash.ts';
import { readJson, relativeError } from '../support/oracle.ts';
import { runOp, type OpCase } from '../support/ops.ts';

/*
 * Every op with its operands, its result and the gradients between them stored as f16, against the same op in f32 (which
 * ops.test.ts compares with PyTorch in f64), on elements that f16 has:
 * within four roundings to 11 bits, or as far as PyTorch's own f32
 * errors say that roundings grow in this case.
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
  'movement',
];

const UNIT = 2 ** -11;

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The elements of a case, rounded to f16 where they are no integers. */
const elements = (name: string, shape: readonly number[], kind: HashKind, scale?: number) => {
  const values = hashValues(name, count(shape), kind, scale);
  return values instanceof Float32Array ? values.map((value) => Math.f16round(value)) : values;
};

/** What only the plan sees, and may store as f16. */
const inside = (x: Tensor): Tensor => (x.dtype === 'f32' ? neg(neg(x)) : x);

/** Runs a case. Tensors that the op changes in place stay outside. */
async function compute(
  device: Device,
  { name, op, attrs, inputs, shape }: OpCase,
  precision: Precision,
): Promise<Map<string, ArrayLike<number>>> {
  const tensors = inputs.map(({ shape, kind, scale, grad = false }, i) =>
    device.tensor(elements(`${name}/x${i}`, shape, kind, scale), shape, { requiresGrad: grad }),
  );
  const dy = device.tensor(elements(`${name}/dy`, shape, 'uniform'), shape);
  const step = device.compile(
    () => {
      const operands = tensors.map((x, i) => (op === 'batchNorm2d' && i > 0 ? x : inside(x)));
      const { out } = runOp(op, operands, attrs);
      const result = inside(out);
      if (result.requiresGrad) result.backward(dy);
      return result;
    },
    { precision },
  );
  const out = await step();
  const results = new Map<string, ArrayLike<number>>([['out', await out.data()]]);
  for (const [i, { grad }] of tensors.entries())
    if (grad !== null) results.set(`grad${i}`, await grad.data());
  step.dispose();
  for (const tensor of [...tensors, dy]) tensor.dispose();
  return results;
}

describe.each(['cpu', 'gpu'] as const)('kernels for a %s, f16', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ kind });
    // Upstream gradients are about 1 here.
    device.enableLossScale().load({ scale: 1, goodSteps: 0, skipped: 0 });
  });
  afterAll(() => device.destroy());

  describe.each(FAMILIES)('%s', (family) => {
    const { cases } = readJson(`ops/${family}.json`) as { cases: OpCase[] };
    const worst = { forward: 0, gradient: 0 };
    afterAll(() => {
      const [forward, gradient] = [worst.forward / UNIT, worst.gradient / UNIT];
      console.log(
        `${family} (${kind}, f16): worst error forward ${forward.toFixed(1)}, gradients ${gradient.toFixed(1)} units of 2^-11`,
      );
    });

    test.for(cases)('$name $op $attrs', async (one, { skip }) => {
      skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
      const [actual, expected] = [await compute(device, one, 'f16'), await compute(device, one, 'f32')];
      expect([...actual.keys()]).toEqual([...expected.keys()]);
      for (const [key, reference] of expected) {
        const error = relativeError(actual.get(key) ?? [], {
          shape: one.shape,
          values: Float32Array.from(reference),
        });
        const direction = key.startsWith('grad') ? 'gradient' : 'forward';
        worst[direction] = Math.max(worst[direction], error);
        const growth = 3 * 2 ** 13 * (one.f32[key] ?? 0);
        // Numbers near 0 are whole multiples of 2^-24.
        const smallest = (2 ** -24 * Math.sqrt(reference.length)) / Math.hypot(...Array.from(reference));
        expect(error, `relative error of ${key}`).toBeLessThanOrEqual(Math.max(4 * UNIT, growth, smallest));
      }
    });
  });
});
