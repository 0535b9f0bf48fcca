import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  add,
  avgPool2d,
  batchNorm2d,
  cast,
  clamp,
  concat,
  conv2d,
  crossEntropy,
  dropout,
  eq,
  leakyRelu,
  linear,
  lt,
  matmul,
  maxPool2d,
  mul,
  pad,
  pow,
  rand,
  randn,
  relu,
  where,
  type Device,
  type Tensor,
} from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
let image: Tensor;
let weight: Tensor;
let bias: Tensor;
let logits: Tensor;
let classes: Tensor;
let ints: Tensor;
let intImage: Tensor;
beforeAll(async () => {
  device = await testDevice();
  image = device.tensor(
    Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
    [1, 1, 4, 4],
  );
  weight = device.tensor(
    Float32Array.from({ length: 9 }, (_, i) => Math.cos(i)),
    [1, 1, 3, 3],
  );
  bias = device.tensor([0.5]);
  logits = device.tensor([1, 2, 3, -4, 5, 6], [2, 3]);
  classes = device.tensor(Int32Array.of(2, 0));
  ints = device.tensor(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  intImage = device.tensor(new Int32Array(16), [1, 1, 4, 4]);
});
afterAll(() => device.destroy());

/** What JavaScript lets through though the types do not. */
const wrong = (value: unknown) => value as never;
const value = async (y: Tensor) => ({ shape: y.shape, dtype: y.dtype, data: [...(await y.data())] });

describe('options', () => {
  it.each<[string, () => Tensor, () => Tensor]>([
    ['conv2d without bias', () => conv2d(image, weight, { padding: 1 }), () => conv2d(image, weight, null, { padding: 1 })], // prettier-ignore
    ['maxPool2d', () => maxPool2d(image, 2), () => maxPool2d(image, { kernelSize: 2 })],
    ['maxPool2d with a stride', () => maxPool2d(image, [2, 3], { stride: 1 }), () => maxPool2d(image, { kernelSize: [2, 3], stride: 1 })], // prettier-ignore
    ['avgPool2d', () => avgPool2d(image, 3, { padding: 1 }), () => avgPool2d(image, { kernelSize: 3, padding: 1 })], // prettier-ignore
    ['adaptiveAvgPool2d', () => adaptiveAvgPool2d(image, 2), () => adaptiveAvgPool2d(image, { outputSize: [2, 2] })], // prettier-ignore
    ['adaptiveMaxPool2d', () => adaptiveMaxPool2d(image, [1, 2]), () => adaptiveMaxPool2d(image, { outputSize: [1, 2] })], // prettier-ignore
    ['dropout', () => dropout(image, 1), () => dropout(image, { p: 1 })],
    ['dropout in evaluation', () => dropout(image, 0.5, { training: false }), () => dropout(image, { training: false })], // prettier-ignore
    ['clamp', () => clamp(image, -0.1, 0.2), () => clamp(image, { min: -0.1, max: 0.2 })],
    ['clamp from above', () => image.clamp(null, 0.2), () => clamp(image, { max: 0.2 })],
    ['clamp from below', () => clamp(image, 0.2), () => clamp(image, { min: 0.2 })],
    ['leakyRelu', () => leakyRelu(image, 0.3), () => leakyRelu(image, { negativeSlope: 0.3 })],
    ['crossEntropy', () => crossEntropy(logits, classes, 'sum'), () => crossEntropy(logits, classes, { reduction: 'sum' })], // prettier-ignore
  ])('of %s stand alone or have their names', async (_, alone, named) => {
    expect(await value(alone())).toEqual(await value(named()));
  });

  it('alone mean what the name says', async () => {
    expect(rand(device, 2, 3).shape).toEqual([2, 3]);
    expect(maxPool2d(image, 2).shape).toEqual([1, 1, 2, 2]);
    expect(conv2d(image, weight, { padding: 1 }).shape).toEqual([1, 1, 4, 4]);
    expect((await value(leakyRelu(logits, 0.5))).data).toEqual([1, 2, 3, -2, 5, 6]);
    expect((await value(clamp(logits, null, 2))).data).toEqual([1, 2, 2, -4, 2, 2]);
  });

  it.each<[() => unknown, string]>([
    [
      () => conv2d(image, weight, null, wrong({ strides: 2 })),
      "conv2d has no option 'strides': did you mean 'stride'?",
    ],
    [() => conv2d(image, weight, wrong({ pad: 1 })), "conv2d has no option 'pad': did you mean 'padding'?"],
    [() => conv2d(image, weight, wrong({ padding: 'same' })), "conv2d takes padding in numbers, got 'same'"],
    [
      () => conv2d(image, weight, wrong({ padding: 'valid' })),
      "conv2d takes padding in numbers, got 'valid': write 0",
    ],
    [() => conv2d(image, weight, { padding: -1 }), 'conv2d: padding must be an integer of at least 0'],
    [() => conv2d(image, weight, { stride: 0 }), 'conv2d: stride must be an integer of at least 1'],
    [
      () => conv2d(image, weight, { groups: 0.5 }),
      'conv2d: groups must be an integer of at least 1, got 0.5',
    ],
    [() => conv2d(image, weight, bias, wrong(2)), 'conv2d takes options as an object with stride, padding'],
    [() => conv2d(image, weight, wrong({ stride: 2 }), { padding: 1 }), 'conv2d: bias must be a tensor, got an object with stride'], // prettier-ignore
    [() => conv2d(image, weight, wrong(2)), 'conv2d: bias must be a tensor, got 2'],
    [() => maxPool2d(image, wrong(undefined)), 'maxPool2d needs kernelSize, an integer of at least 1'],
    [() => maxPool2d(image, wrong({ kernel_size: 2 })), "maxPool2d has no option 'kernel_size': did you mean 'kernelSize'?"], // prettier-ignore
    [() => maxPool2d(image, 2, wrong(2)), 'maxPool2d takes options after kernelSize as an object with'],
    [() => maxPool2d(image, 0), 'maxPool2d: kernelSize must be an integer of at least 1, or two'],
    [() => avgPool2d(image, 2, wrong({ dilation: 2 })), "avgPool2d has no option 'dilation'"],
    [() => adaptiveAvgPool2d(image, wrong(undefined)), 'adaptiveAvgPool2d needs outputSize'],
    [() => adaptiveAvgPool2d(image, 1.5), 'adaptiveAvgPool2d: outputSize must be an integer of at least 1'],
    [() => dropout(image, 1.5), 'dropout: p must be a number of 0 to 1, got 1.5'],
    [() => dropout(image, wrong({ rate: 0.5 })), "dropout has no option 'rate': it takes p and training"],
    [
      () => dropout(image, 0.5, wrong(false)),
      'dropout takes options after p as an object with training, got false',
    ],
    [() => clamp(image), 'clamp needs a min or a max'],
    [() => clamp(image, Number.NaN), 'clamp: min must be a number, or null, got NaN'],
    [() => clamp(image, 2, 1), 'clamp: min 2 is above max 1'],
    [
      () => leakyRelu(image, wrong({ slope: 1 })),
      "leakyRelu has no option 'slope': did you mean 'negativeSlope'?",
    ],
    [() => leakyRelu(image, Number.NaN), 'leakyRelu: negativeSlope must be a number, got NaN'],
    [() => crossEntropy(logits, classes, wrong('avg')), "crossEntropy: reduction must be 'mean' or 'sum' or 'none', got 'avg'"], // prettier-ignore
    [
      () => crossEntropy(logits, classes, wrong({ ignore_index: 1 })),
      "crossEntropy has no option 'ignore_index'",
    ],
    [() => matmul(logits, logits, wrong({ transposeb: true })), "matmul has no option 'transposeb': did you mean 'transposeB'?"], // prettier-ignore
    [() => batchNorm2d(image, wrong({ running_mean: bias })), "did you mean 'runningMean'?"],
    [() => batchNorm2d(image, wrong(bias)), 'batchNorm2d takes options as an object with weight'],
    [() => batchNorm2d(image, { training: true, momentum: 2 }), 'batchNorm2d: momentum must be a number of 0 to 1, or null, got 2'], // prettier-ignore
    [() => batchNorm2d(image, { training: true, runningMean: bias, runningVar: bias, momentum: null }), 'batchNorm2d with momentum null needs numBatchesTracked of one element, got none'], // prettier-ignore
    [() => pow(image, wrong('2')), "pow: the exponent must be a number, got '2'"],
    [() => pow(image, wrong(bias)), 'pow: the exponent must be a number, got Tensor([1], f32)'],
    [() => rand(device, wrong('3')), "rand takes integers in one array or one by one, got '3'"],
    [() => rand(device, [2, 0]), 'rand: every size must be a positive integer, got [2, 0]'],
    [() => randn(wrong(2), 3), 'randn needs a device first: randn(device, [2, 3]), got 2'],
    [() => cast(image, wrong('float32')), "cast: there is no dtype 'float32': did you mean 'f32'?"],
  ])('that there are none are refused: %s', (call, message) => {
    expect(call).toThrow(message);
  });
});

describe('operands', () => {
  it.each<[() => unknown, string]>([
    [() => conv2d(intImage, weight), 'conv2d takes f32, but x is i32: cast it to f32 first'],
    [() => conv2d(image, cast(weight, 'u32')), 'conv2d takes f32, but weight is u32'],
    [() => conv2d(image, weight, cast(bias, 'i32')), 'conv2d takes f32, but bias is i32'],
    [() => conv2d(image, wrong({ tensor: weight })), 'conv2d: weight must be a tensor, got an object with tensor: pass its .tensor'], // prettier-ignore
    [() => linear(logits, ints), 'linear takes f32, but weight is i32'],
    [() => matmul(ints, logits, { transposeB: true }), 'matmul takes f32, but a is i32'],
    [() => ints.softmax(1), 'softmax takes f32, got i32: cast it to f32 first'],
    [() => ints.logSoftmax(1), 'logSoftmax takes f32, got i32'],
    [() => ints.mean(), 'mean takes f32, got i32'],
    [() => batchNorm2d(intImage, { training: true }), 'batchNorm2d takes f32, but x is i32'],
    [
      () => batchNorm2d(image, { training: true, weight: cast(bias, 'i32') }),
      'batchNorm2d takes f32, but weight is i32',
    ],
    [() => maxPool2d(intImage, 2), 'maxPool2d takes f32, got i32'],
    [() => avgPool2d(intImage, 2), 'avgPool2d takes f32, got i32'],
    [() => adaptiveAvgPool2d(intImage, 1), 'adaptiveAvgPool2d takes f32, got i32'],
    [() => adaptiveMaxPool2d(intImage, 1), 'adaptiveMaxPool2d takes f32, got i32'],
    [() => crossEntropy(ints, classes), 'crossEntropy takes f32, got i32'],
    [() => crossEntropy(logits, wrong([2, 0])), 'crossEntropy: target must be a tensor, got [2, 0]: device.tensor makes one of it'], // prettier-ignore
    [() => relu(ints), 'relu takes f32, got i32'],
    [() => pow(ints, 2), 'pow takes f32, got i32'],
    [() => dropout(ints), 'dropout takes f32, got i32'],
    [() => where(ints, ints, logits), 'where: a and b are i32 and f32: cast one of them'],
    [() => where(ints, ints, 0.5), 'where of i32 and 0.5, which is no i32: cast the tensor first'],
    [() => where(ints, wrong('1'), 0), "where takes tensors and numbers, got '1'"],
    [() => where(wrong(true), 1, 0), 'where: condition must be a tensor, got true'],
    [() => concat([logits, ints]), 'concat: tensor 0 is f32, tensor 1 is i32: cast one of them'],
    [() => pad(ints, [1, 1], { value: 0.5 }), 'pad of i32 and 0.5, which is no i32'],
    [() => add(ints, logits), 'add of i32 and f32: cast one of them'],
    [() => add(ints, 0.5), 'add of i32 and 0.5, which is no i32'],
    [() => mul(ints, 2 ** 31), 'mul of i32 and 2147483648, which is no i32'],
    [() => lt(cast(ints, 'u32'), -1), 'lt of u32 and -1, which is no u32'],
    [() => eq(ints, Number.NaN), 'eq of i32 and NaN, which is no i32'],
    [() => add(logits, wrong('1')), "add takes tensors and numbers, got '1'"],
    [() => add(logits, wrong([1, 2, 3])), 'add takes tensors and numbers, got [1, 2, 3]: device.tensor makes one of it'], // prettier-ignore
    [() => device.tensor(Int32Array.of(1), [1], { requiresGrad: true }), 'only f32 can require a gradient, got i32'], // prettier-ignore
  ])('that an op does not take are refused: %s', (call, message) => {
    expect(call).toThrow(message);
  });

  it('of crossEntropy may have classes of either integer type', async () => {
    const unsigned = crossEntropy(logits, device.tensor(Uint32Array.of(2, 0)), 'none');
    expect(await value(unsigned)).toEqual(await value(crossEntropy(logits, classes, 'none')));
    const learned = device.tensor([1, 2, 3, -4, 5, 6], [2, 3], { requiresGrad: true });
    crossEntropy(learned, device.tensor(Uint32Array.of(2, 0))).backward();
    const again = device.tensor([1, 2, 3, -4, 5, 6], [2, 3], { requiresGrad: true });
    crossEntropy(again, classes).backward();
    expect([...((await learned.grad?.data()) ?? [])]).toEqual([...((await again.grad?.data()) ?? [1])]);
    expect(() => crossEntropy(logits, device.tensor(Uint32Array.of(2 ** 32 - 1, 0)), 'none')).toThrow(
      'crossEntropy: class 4294967295 is outside 0 to 2',
    );
  });
});
