import { afterAll, beforeAll, expect, test } from 'vitest';
import { gradcheck, mul, type Device, type Tensor } from '../../src/index.ts';
import { hashIndices, uniform } from '../support/hash.ts';
import { runOp, type Attrs } from '../support/ops.ts';
import { testDevice } from '../support/engine.ts';

/*
 * Every op's gradient against central differences of itself. Elements are at least 0.09 apart and 0.15 from zero, so
 * that no kink and no change of a maximum lies within the step.
 */
let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

type Kind = 'signed' | 'positive' | 'mask' | { below: number };
/** Op, attributes, and for each input its shape and kind; those of kind signed and positive are checked. */
type Check = [op: string, attrs: Attrs, inputs: [shape: number[], kind?: Kind][]];

const STATISTICS: [number[], Kind][] = [
  [[2], 'mask'],
  [[2], 'mask'],
];

const CHECKS: Check[] = [
  ['matmul', {}, [[[3, 4]], [[4, 2]]]],
  ['matmul', { transposeA: true, transposeB: true }, [[[2, 3, 2]], [[4, 3]]]],
  ['linear', {}, [[[3, 4]], [[2, 4]], [[2]]]],
  ['conv2d', { stride: 2, padding: 1 }, [[[1, 2, 4, 5]], [[2, 2, 3, 3]], [[2]]]],
  ['conv2d', { dilation: 2, padding: 1, groups: 2 }, [[[2, 2, 4, 3]], [[4, 1, 2, 2]]]],
  [
    'batchNorm2d',
    { training: true, momentum: 0.1, eps: 1e-3 },
    [[[2, 2, 2, 3]], ...STATISTICS, [[2]], [[2]]],
  ],
  [
    'batchNorm2d',
    { training: false, momentum: 0.1, eps: 0.5 },
    [[[2, 2, 2, 2]], ...STATISTICS, [[2]], [[2]]],
  ],
  ['maxPool2d', { kernelSize: 2, stride: 2, padding: 1 }, [[[1, 2, 4, 3]]]],
  [
    'avgPool2d',
    { kernelSize: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false },
    [[[1, 2, 4, 3]]],
  ],
  ['adaptiveAvgPool2d', { size: [2, 3] }, [[[1, 2, 5, 4]]]],
  ['adaptiveMaxPool2d', { size: [1, 1] }, [[[2, 2, 2, 3]]]],
  ['relu', {}, [[[7]]]],
  ['leakyRelu', { negativeSlope: 0.2 }, [[[7]]]],
  ['sigmoid', {}, [[[8]]]],
  ['tanh', {}, [[[8]]]],
  ['exp', {}, [[[8]]]],
  ['log', {}, [[[8], 'positive']]],
  ['sqrt', {}, [[[8], 'positive']]],
  ['neg', {}, [[[5]]]],
  ['abs', {}, [[[5]]]],
  ['square', {}, [[[5]]]],
  ['reciprocal', {}, [[[5], 'positive']]],
  ['clamp', { min: -0.28, max: 0.37 }, [[[8]]]],
  ['pow', { exponent: 3 }, [[[6]]]],
  ['add', {}, [[[2, 3]], [[3]]]],
  ['sub', {}, [[[2, 1]], [[2, 3]]]],
  ['mul', {}, [[[2, 3]], [[2, 1]]]],
  ['div', {}, [[[2, 3]], [[3], 'positive']]],
  ['maximum', {}, [[[5]], [[5], 'positive']]],
  ['minimum', {}, [[[5]], [[5], 'positive']]],
  ['where', {}, [[[6], 'mask'], [[6]], [[1]]]],
  ['sum', { dim: [0, 2] }, [[[2, 3, 2]]]],
  ['mean', {}, [[[2, 3]]]],
  ['max', { dim: 1 }, [[[3, 4]]]],
  ['min', {}, [[[3, 4]]]],
  ['softmax', { dim: 1 }, [[[3, 4]]]],
  ['logSoftmax', { dim: 0 }, [[[3, 4]]]],
  ['crossEntropy', { reduction: 'mean' }, [[[3, 4]], [[3], { below: 4 }]]],
  ['crossEntropy', { reduction: 'none' }, [[[3, 4]], [[3, 4], 'mask']]],
  ['concat', { dim: 1 }, [[[2, 1, 2]], [[2, 3, 2]]]],
  ['slice', { dim: 1, start: 1, end: 5, step: 2 }, [[[2, 6]]]],
  ['reshape', { shape: [3, 2] }, [[[6]]]],
  ['permute', { dims: [2, 0, 1] }, [[[2, 2, 3]]]],
  [
    'pad',
    {
      padding: [
        [1, 0],
        [0, 2],
      ],
      value: 1,
    },
    [[[2, 3]]],
  ],
  ['expand', { shape: [2, 3, 2] }, [[[3, 1]]]],
  ['indexSelect', { dim: 0 }, [[[4, 2]], [[5], { below: 4 }]]],
];

/** 0.15, 0.24, 0.33 ... in a random order, every other one negative if `kind` is signed. */
function spaced(name: string, length: number, kind: 'signed' | 'positive'): Float32Array {
  const keys = uniform(name, length);
  const order = [...keys.keys()].sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
  const values = new Float32Array(length);
  order.forEach((place, rank) => {
    values[place] = (0.15 + 0.09 * rank) * (kind === 'signed' && rank % 2 === 1 ? -1 : 1);
  });
  return values;
}

function makeInput(name: string, shape: readonly number[], kind: Kind): Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  if (kind === 'mask')
    return device.tensor(
      uniform(name, length).map((u) => (u > 0 ? 1 : 0)),
      shape,
    );
  if (typeof kind === 'object') return device.tensor(hashIndices(name, length, kind.below), shape);
  return device.tensor(spaced(name, length, kind), shape, { requiresGrad: true });
}

test.each(CHECKS)('%s %o', async (op, attrs, specs) => {
  const inputs = specs.map(([shape, kind = 'signed'], i) => makeInput(`${op}${i}`, shape, kind));
  const checked = inputs.filter((input) => input.requiresGrad);
  // Squared, so that an op whose own gradient is constant still sees a gradient that varies.
  const { passed, errors } = await gradcheck((...moved) => {
    const all = inputs.map((input) =>
      input.requiresGrad ? (moved[checked.indexOf(input)] ?? input) : input,
    );
    const { out } = runOp(op, all, attrs);
    return mul(out, out);
  }, checked);
  expect(passed, `relative errors ${errors.map((error) => error.toExponential(1)).join(', ')}`).toBe(true);
});

test('a wrong gradient does not pass', async () => {
  const x = device.tensor(spaced('wrong', 4, 'signed'), [4], { requiresGrad: true });
  const { passed } = await gradcheck((y) => mul(y, y.detach()), [x]);
  expect(passed).toBe(false);
});
