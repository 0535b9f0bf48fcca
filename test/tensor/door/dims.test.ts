import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  amax,
  amin,
  argmax,
  chunk,
  concat,
  expand,
  flatten,
  indexSelect,
  logSoftmax,
  max,
  mean,
  min,
  pad,
  permute,
  reshape,
  slice,
  softmax,
  split,
  squeeze,
  stack,
  sum,
  transpose,
  unsqueeze,
  type Device,
  type Tensor,
} from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

let device: Device;
let x: Tensor;
let rows: Tensor;
beforeAll(async () => {
  device = await testDevice();
  x = device.tensor([1, 6, 3, 4, 5, 2], [2, 3]);
  rows = device.tensor(Int32Array.of(1, 0));
});
afterAll(() => device.destroy());

/** What JavaScript lets through though the types do not. */
const wrong = (value: unknown) => value as never;
const value = async (y: Tensor) => ({ shape: y.shape, data: [...(await y.data())] });

describe('a dimension', () => {
  it.each<[string, () => Tensor, () => Tensor]>([
    ['sum', () => sum(x, 1), () => sum(x, { dim: 1 })],
    [
      'sum over several',
      () => sum(x, [0, 1], { keepDim: true }),
      () => sum(x, { dim: [0, 1], keepDim: true }),
    ],
    ['sum as a method', () => x.sum(-1, { keepDim: true }), () => x.sum({ dim: -1, keepDim: true })],
    ['mean', () => mean(x, 0), () => mean(x, { dim: 0 })],
    ['amax', () => amax(x, 1), () => amax(x, { dim: 1 })],
    ['amin', () => amin(x, 1), () => amin(x, { dim: 1 })],
    ['argmax', () => argmax(x, 1, { keepDim: true }), () => argmax(x, { dim: 1, keepDim: true })],
    ['max', () => max(x, 1).values, () => max(x, { dim: 1 }).values],
    ['min', () => x.min(1, { keepDim: true }).indices, () => min(x, { dim: 1, keepDim: true }).indices],
    ['softmax', () => softmax(x, 1), () => softmax(x, { dim: 1 })],
    ['logSoftmax', () => logSoftmax(x, 0), () => logSoftmax(x, { dim: 0 })],
    ['concat', () => concat([x, x], 1), () => concat([x, x], { dim: 1 })],
    ['stack', () => stack([x, x], -1), () => stack([x, x], { dim: -1 })],
    ['split', () => split(x, 2, 1)[1] ?? x, () => split(x, 2, { dim: 1 })[1] ?? x],
    ['chunk', () => chunk(x, 2, 0)[1] ?? x, () => chunk(x, 2, { dim: 0 })[1] ?? x],
    ['flatten', () => flatten(x, 0, 1), () => flatten(x, { startDim: 0, endDim: 1 })],
    ['squeeze', () => squeeze(sum(x, 1, { keepDim: true }), 1), () => squeeze(sum(x, 1, { keepDim: true }), { dim: 1 })], // prettier-ignore
    ['unsqueeze', () => unsqueeze(x, 1), () => unsqueeze(x, { dim: 1 })],
    ['indexSelect', () => indexSelect(x, 0, rows), () => indexSelect(x, { dim: 0 }, rows)],
    ['transpose', () => transpose(x, 0, 1), () => transpose(x, { dim0: 0, dim1: 1 })],
    ['slice', () => slice(x, 1, { start: 1 }), () => slice(x, { dim: 1, start: 1 })],
    ['permute', () => permute(x, 1, 0), () => permute(x, [1, 0])],
    ['reshape', () => x.reshape(3, -1), () => reshape(x, [3, -1])],
    ['expand', () => expand(x, 2, -1, -1), () => expand(x, [2, -1, -1])],
    ['pad in the order of PyTorch', () => pad(x, [1, 2, 0, 1]), () => pad(x, [[0, 1], [1, 2]])], // prettier-ignore
    ['pad of the last dimension', () => pad(x, [0, 1], { value: 9 }), () => pad(x, [[0, 0], [0, 1]], { value: 9 })], // prettier-ignore
  ])('of %s stands alone or has its name', async (_, alone, named) => {
    expect(await value(alone())).toEqual(await value(named()));
  });

  it('alone means what the name says', async () => {
    expect(await value(sum(x, 1))).toEqual({ shape: [2], data: [10, 11] });
    expect(await value(argmax(x, 1))).toEqual({ shape: [2], data: [1, 1] });
    expect(await value(pad(x, [1, 0]))).toEqual({ shape: [2, 4], data: [0, 1, 6, 3, 0, 4, 5, 2] });
  });

  it.each<[string, (dim: never) => unknown]>([
    ['sum', (dim) => sum(x, dim)],
    ['sum', (dim) => sum(x, [0, dim])],
    ['sum', (dim) => x.sum({ dim })],
    ['mean', (dim) => mean(x, dim)],
    ['amax', (dim) => amax(x, dim)],
    ['argmax', (dim) => argmax(x, dim)],
    ['max', (dim) => max(x, dim)],
    ['min', (dim) => min(x, { dim })],
    ['softmax', (dim) => softmax(x, dim)],
    ['logSoftmax', (dim) => logSoftmax(x, { dim })],
    ['concat', (dim) => concat([x, x], dim)],
    ['split', (dim) => split(x, 1, dim)],
    ['chunk', (dim) => chunk(x, 2, dim)],
    ['flatten', (dim) => flatten(x, dim)],
    ['flatten', (dim) => flatten(x, 0, dim)],
    ['squeeze', (dim) => squeeze(x, dim)],
    ['indexSelect', (dim) => indexSelect(x, dim, rows)],
    ['transpose', (dim) => transpose(x, dim, 0)],
    ['transpose', (dim) => transpose(x, 0, dim)],
    ['permute', (dim) => permute(x, [0, dim])],
    ['slice', (dim) => slice(x, { dim, start: 0 })],
  ])('that is none is refused by %s', (op, call) => {
    for (const dim of [0.5, Number.NaN, 2, -3, Infinity, '1', null]) {
      const shown = typeof dim === 'string' ? `'${dim}'` : String(dim);
      expect(() => call(wrong(dim)), shown).toThrow(
        `${op}: ${shown} is no dimension of shape [2, 3], which has -2 to 1`,
      );
    }
  });

  it.each<[() => unknown, string]>([
    [() => unsqueeze(x, 4), 'unsqueeze of [2, 3] takes a dim of -3 to 2, got 4'],
    [() => unsqueeze(x, wrong('1')), "got '1'"],
    [() => stack([x, x], 0.5), 'stack of [2, 3] takes a dim of -3 to 2, got 0.5'],
    [() => sum(device.tensor(1), 0), 'sum: 0 is no dimension of shape [], which has none'],
    [() => sum(x, []), 'sum: dim is empty: leave it out to reduce all of [2, 3]'],
    [() => sum(x, [0, -2]), 'a dimension appears twice'],
    [() => sum(x, wrong({ dim: 1, keepdim: true })), "sum has no option 'keepdim': did you mean 'keepDim'?"],
    [() => sum(x, wrong({ axis: 1 })), "sum has no option 'axis': did you mean 'dim'?"],
    [() => sum(x, 1, wrong(true)), 'sum takes options after dim as an object with keepDim, got true'],
    [() => max(x, wrong([0, 1])), 'max takes one dim, got [0, 1]'],
    [() => argmax(x, wrong({ dim: [0] })), 'argmax takes one dim, got [0]'],
    [() => max(x, wrong({ keepDim: true })), 'max needs dim, a dimension'],
    [() => max(x, wrong(x)), 'max of two tensors is maximum(a, b)'],
    [() => softmax(x, wrong(undefined)), 'softmax needs dim, a dimension'],
    [() => softmax(x, wrong({ dims: 1 })), "softmax has no option 'dims': did you mean 'dim'?"],
    [() => flatten(x, 1, 0), 'flatten: dimension 1 comes after 0'],
    [() => flatten(x, wrong({ start: 1 })), "flatten has no option 'start': did you mean 'startDim'?"],
    [() => transpose(x, wrong(undefined)), 'transpose needs dim0, a dimension'],
    [() => x.transpose(0), 'transpose needs dim1, a dimension'],
    [() => permute(x, [0, 0]), 'permute of [2, 3] needs each dimension once, got [0, 0]'],
    [() => permute(x, [0]), 'permute of [2, 3] needs each dimension once, got [0]'],
    [() => permute(x, wrong('10')), "permute takes integers in one array or one by one, got '10'"],
    [() => concat(wrong(x)), 'concat takes an array of tensors, got Tensor([2, 3], f32)'],
    [() => concat([]), 'concat needs at least one tensor'],
    [
      () => concat([x, wrong([1])]),
      'concat: tensor 1 must be a tensor, got [1]: device.tensor makes one of it',
    ],
    [() => concat([x, rows.reshape(1, 2)]), 'concat along 0: shapes [2, 3] and [1, 2] differ elsewhere'],
    [() => stack([x, sum(x, 0)]), 'stack needs tensors of one shape, got [2, 3] and [3]'],
    [() => slice(x, { dim: 1, start: 0.5 }), 'slice: start must be an integer, got 0.5'],
    [() => slice(x, { dim: 1, end: Number.NaN }), 'slice: end must be an integer, got NaN'],
    [() => slice(x, { dim: 1, step: 0 }), 'slice: step must be an integer of at least 1, got 0'],
    [() => slice(x, { dim: 1, start: 3 }), 'slice 3:3 of 3 elements along 1 is empty'],
    [
      () => slice(x, 1, wrong(0)),
      'slice takes options after dim as an object with start, end and step, got 0',
    ],
    [() => split(x, wrong([1, 2]), 1), 'split needs one integer of at least 1 for the size, got [1, 2]'],
    [() => chunk(x, 0), 'chunk needs an integer of at least 1 for the chunks, got 0'],
    [() => reshape(x, [0.5, 12]), 'cannot reshape [2, 3] to [0.5, 12]: sizes are positive integers'],
    [() => reshape(x, [-1, -1]), 'cannot reshape [2, 3] to [-1, -1]: only one size may be -1'],
    [() => reshape(x, [4, 2]), 'cannot reshape [2, 3] to [4, 2]: 6 elements are not 8'],
    [() => reshape(x, [4, -1]), 'cannot reshape [2, 3] to [4, -1]: 6 elements do not divide by 4'],
    [() => reshape(x, [Number.NaN, 2]), 'sizes are positive integers'],
    [() => reshape(x, wrong('6')), "reshape takes integers in one array or one by one, got '6'"],
    [() => reshape(x, [6], 1), 'reshape takes integers in one array or one by one, got [6]'],
    [() => expand(x, [2]), '[2, 3] does not expand to [2]'],
    [() => expand(x, [4, 3]), '[2, 3] does not expand to [4, 3]'],
    [() => expand(x, [1.5, 2, 3]), 'expand: every size must be a positive integer, got [1.5, 2, 3]'],
    [() => expand(x, [-1, 2, 3]), 'expand: every size must be a positive integer, got [-1, 2, 3]'],
    [() => pad(x, [1, 2, 3]), 'pad of [2, 3] needs [before, after] for each dimension, or a flat list'],
    [() => pad(x, [[1, 1]]), 'pad of [2, 3] needs [before, after]'],
    [() => pad(x, [-1, 1]), 'of integers of at least 0, got [-1, 1]'],
    [() => pad(x, [1, 1, 1, 1, 1, 1]), 'pad of [2, 3] needs'],
    [() => pad(x, wrong(1)), 'got 1'],
    [() => pad(x, [1, 1], wrong('reflect')), "pad takes options as an object with value, got 'reflect'"],
    [() => sum(wrong([1, 2])), 'sum: x must be a tensor, got [1, 2]: device.tensor makes one of it'],
  ])('or other places: %s', (call, message) => {
    expect(call).toThrow(message);
  });
});
