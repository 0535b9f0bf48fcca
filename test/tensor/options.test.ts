import { describe, expect, it } from 'vitest';
import {
  checkOptions,
  flag,
  namedFirst,
  number,
  required,
  wholePair,
} from '../../src/tensor/graph/options.ts';
import { closestName, formatValue } from '../../src/tensor/graph/wording.ts';

interface Options {
  readonly kernelSize: number | readonly [number, number];
  readonly keepDim?: boolean;
  readonly weightDecay?: number;
}
const KINDS = { kernelSize: required(wholePair(1)), keepDim: flag, weightDecay: number() };
const check = (options: unknown) => checkOptions<Options>('op', options as Options, KINDS);
const named = (first: unknown, rest?: unknown) =>
  namedFirst<Options>('op', 'kernelSize', first, rest as object | undefined, KINDS);

describe('checkOptions', () => {
  it('gives what it was given', () => {
    const options = { kernelSize: 2, keepDim: true };
    expect(check(options)).toBe(options);
    expect(check({ kernelSize: [1, 2], keepDim: undefined })).toEqual({
      kernelSize: [1, 2],
      keepDim: undefined,
    });
    expect(check(Object.assign(Object.create(null), { kernelSize: 2 }))).toEqual({ kernelSize: 2 });
  });

  it.each([
    [{ kernel_size: 2 }, "op has no option 'kernel_size': did you mean 'kernelSize'?"],
    [{ kernelSize: 2, keepdims: true }, "op has no option 'keepdims': did you mean 'keepDim'?"],
    [{ kernelSize: 2, WeightDecay: 1 }, "did you mean 'weightDecay'?"],
    [{ kernelSize: 2, color: 1 }, "op has no option 'color': it takes kernelSize, keepDim and weightDecay"],
    [{ kernelSize: 2, constructor: 1 }, "op has no option 'constructor'"],
    [{ kernelSize: 2, keepDim: 1 }, 'op: keepDim must be true or false, got 1'],
    [{ kernelSize: 2, keepDim: null }, 'op: keepDim must be true or false, got null'],
    [
      { kernelSize: '2' },
      "op: kernelSize must be an integer of at least 1, or two of them as [height, width], got '2'",
    ],
    [{ kernelSize: 0 }, 'got 0'],
    [{ kernelSize: [2, 2, 2] }, 'got [2, 2, 2]'],
    [{ kernelSize: new Array(2) }, 'got [undefined, undefined]'],
    [{ kernelSize: 2, weightDecay: Number.NaN }, 'op: weightDecay must be a number, got NaN'],
    [{}, 'op needs kernelSize, an integer of at least 1'],
    [{ kernelSize: undefined }, 'op needs kernelSize'],
    [3, 'op takes options as an object with kernelSize, keepDim and weightDecay, got 3'],
    [[3], 'got [3]'],
    [new Map(), 'got a Map'],
    [null, 'got null'],
  ])('refuses %o', (options, message) => {
    expect(() => check(options)).toThrow(message);
  });

  it('throws a RangeError for numbers out of range, a TypeError otherwise', () => {
    expect(() => check({ kernelSize: [0, 1] })).toThrow(RangeError);
    expect(() => check({ kernelSize: 'same' })).toThrow(TypeError);
  });
});

describe('namedFirst', () => {
  it('takes one option alone or by name', () => {
    expect(named(2)).toEqual({ kernelSize: 2 });
    expect(named([2, 3], { keepDim: true })).toEqual({ kernelSize: [2, 3], keepDim: true });
    expect(named({ kernelSize: 2, keepDim: true })).toEqual({ kernelSize: 2, keepDim: true });
  });

  it.each([
    [[2, true], 'op takes options after kernelSize as an object with keepDim and weightDecay, got true'],
    [[2, 2], 'got 2'],
    [[2, { kernelSize: 3 }], 'op got kernelSize twice'],
    [[{ kernelSize: 2 }, { keepDim: true }], 'op takes one object of options, got a second one'],
    [[undefined], 'op needs kernelSize'],
    [[undefined, { keepDim: true }], 'op needs kernelSize'],
    [[null], 'op: kernelSize must be an integer'],
    [[2, { keep_dim: true }], "did you mean 'keepDim'?"],
  ])('refuses %o', ([first, rest], message) => {
    expect(() => named(first, rest)).toThrow(message);
  });
});

describe('wording', () => {
  it('shows values short and told apart', () => {
    expect(['1', 1, true, null, undefined, 2n].map(formatValue)).toEqual(["'1'", '1', 'true', 'null', 'undefined', '2n']); // prettier-ignore
    expect(formatValue('x'.repeat(99))).toHaveLength(43);
    expect(formatValue(new Array(99))).toBe('an array of 99');
    expect(formatValue([1, [2]])).toBe('[1, [...]]');
    expect(formatValue(new Float32Array(3))).toBe('Float32Array(3)');
    expect(formatValue(Math.max)).toBe('the function max');
    expect(formatValue({})).toBe('an empty object');
    expect(formatValue(Object.create(Object.create(Object.create(null) as object) as object))).toBe('an object of no class'); // prettier-ignore
  });

  it('guesses names that are near, and no others', () => {
    expect(closestName('strides', ['padding', 'stride'])).toBe('stride');
    expect(closestName('kernel', ['padding', 'kernelSize'])).toBe('kernelSize');
    expect(closestName('learn', ['lr'])).toBeNull();
    expect(closestName('eps', ['p', 'lr'])).toBeNull();
  });
});
