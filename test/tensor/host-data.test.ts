import { describe, expect, it } from 'vitest';
import type { HostDType } from '../../src/tensor/graph/dtype.ts';
import { checkStepInput, hostArray, type NestedNumbers } from '../../src/tensor/graph/host_data.ts';

const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));
const Float16 = Reflect.get(globalThis, 'Float16Array') as { from(values: number[]): ArrayBufferView };

describe('hostArray', () => {
  it.each<[string, unknown, HostDType | undefined, ArrayLike<number>, number[]]>([
    ['a number', 2.5, undefined, Float32Array.of(2.5), []],
    ['a number as i32', 2, 'i32', Int32Array.of(2), []],
    ['numbers', [1, Number.NaN], undefined, Float32Array.of(1, Number.NaN), [2]],
    ['booleans', [true, false], undefined, Float32Array.of(1, 0), [2]],
    ['booleans as u32', [true, false], 'u32', Uint32Array.of(1, 0), [2]],
    ['rows', [[1, 2, 3], [4, 5, 6]], undefined, Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]], // prettier-ignore
    ['deep rows', [[[[1]], [[2]]]], 'i32', Int32Array.of(1, 2), [1, 2, 1, 1]],
    ['rows of typed arrays', [Int32Array.of(1, 2), Uint8Array.of(3, 4)], undefined, Int32Array.of(1, 2, 3, 4), [2, 2]], // prettier-ignore
    ['rows of arrays of both kinds', [[1, 2], Float64Array.of(3, 4)], undefined, Float32Array.of(1, 2, 3, 4), [2, 2]], // prettier-ignore
    ['f64', Float64Array.of(0.1, 1e300), undefined, Float32Array.of(0.1, Infinity), [2]],
    ['f16', Float16.from([1, 0.1]), undefined, Float32Array.of(1, 0.0999755859375), [2]],
    ['u8', Uint8Array.of(255), undefined, Int32Array.of(255), [1]],
    ['u8 as f32', Uint8ClampedArray.of(255), 'f32', Float32Array.of(255), [1]],
    ['a Buffer', Buffer.from([7]), undefined, Int32Array.of(7), [1]],
    ['i8', Int8Array.of(-1), undefined, Int32Array.of(-1), [1]],
    ['i16', Int16Array.of(-300), undefined, Int32Array.of(-300), [1]],
    ['u16 as u32', Uint16Array.of(65535), 'u32', Uint32Array.of(65535), [1]],
    ['i64', BigInt64Array.of(-5n, 2n ** 31n - 1n), undefined, Int32Array.of(-5, 2147483647), [2]],
    ['u64 as u32', BigUint64Array.of(2n ** 32n - 1n), 'u32', Uint32Array.of(4294967295), [1]],
    ['whole f32 as i32', Float32Array.of(3, -4), 'i32', Int32Array.of(3, -4), [2]],
    ['u32 as f32', Uint32Array.of(3), 'f32', Float32Array.of(3), [1]],
  ])('takes %s', (_, data, dtype, array, shape) => {
    expect(hostArray(data as NestedNumbers, dtype)).toEqual({ array, shape });
  });

  it('copies where it converts and where memory is shared or resizable, and nowhere else', () => {
    for (const own of [
      Float32Array.of(1),
      Int32Array.of(1),
      Uint32Array.of(1),
      new Float32Array(8).subarray(2, 4),
    ])
      // prettier-ignore
      expect(hostArray(own).array).toBe(own);
    const memory = shared(2);
    memory[1] = 5;
    const { array } = hostArray(memory);
    expect(array).toEqual(Float32Array.of(0, 5));
    expect(array.buffer).toBeInstanceOf(ArrayBuffer);
    const resizable = new Float32Array(new ArrayBuffer(8, { maxByteLength: 16 }));
    expect(hostArray(resizable).array).not.toBe(resizable);
    expect(hostArray(resizable).shape).toEqual([2]);
  });

  it.each<[unknown, string | null | undefined, string]>([
    [[[1, 2, 3], [4, 5]], undefined, 'row 1 has 2 elements, row 0 has 3'], // prettier-ignore
    [[[[1], [2]], [[3], [4, 5]]], undefined, 'row [1, 1] has 2 elements, row [0, 0] has 1'], // prettier-ignore
    [[[1, 2], 3], undefined, 'element 1 is a number, element 0 is not'],
    [[1, [2]], undefined, 'element 1 is an array, element 0 is not'],
    [[[[1]], [[Float32Array.of(1)]]], undefined, 'element [1, 0, 0] is an array, element [0, 0, 0] is not'], // prettier-ignore
    [[], undefined, 'the data is empty'],
    [[[], []], undefined, 'row 0 is empty'],
    [new Float32Array(0), undefined, 'the data is empty'],
    [new Array<number>(3), undefined, 'element 0 is undefined, which is no number'],
    [[1, , 3], undefined, 'element 1 is undefined, which is no number'], // eslint-disable-line no-sparse-arrays
    [[1, null], undefined, 'element 1 is null, which is no number'],
    [[[1, '2']], undefined, "element [0, 1] is '2', which is no number"],
    [[1, 2n], undefined, 'element 1 is 2n, which is no number'],
    ['12', undefined, "data must be a number, an array of numbers or a typed array, got '12'"],
    [undefined, undefined, 'got undefined'],
    [null, undefined, 'got null'],
    [{ length: 2 }, undefined, 'got an object with length'],
    [new Map(), undefined, 'got a Map'],
    [3n, undefined, '3n is a bigint: give a number, or a BigInt64Array'],
    [new ArrayBuffer(8), undefined, 'an ArrayBuffer has bytes of no type'],
    [new DataView(new ArrayBuffer(8)), undefined, 'a DataView has bytes of no type'],
    [[1, 2.5], 'i32', 'element 1 is 2.5, which i32 cannot hold'],
    [[[1, 2], [3, Number.NaN]], 'i32', 'element [1, 1] is NaN, which i32 cannot hold'], // prettier-ignore
    [Float32Array.of(1, Infinity), 'i32', 'element 1 is Infinity, which i32 cannot hold'],
    [Int32Array.of(1, -1), 'u32', 'element 1 is -1, which u32 cannot hold'],
    [2 ** 31, 'i32', 'the number is 2147483648, which i32 cannot hold'],
    [Uint32Array.of(2 ** 31), 'i32', 'element 0 is 2147483648, which i32 cannot hold'],
    [BigInt64Array.of(1n, 2n ** 40n), undefined, 'element 1 is 1099511627776n, which i32 cannot hold'],
    [[Int32Array.of(1), Float32Array.of(1)], undefined, 'the rows are i32 and f32: say which dtype is meant'],
    [[1], 'float32', "there is no dtype 'float32': did you mean 'f32'?"],
    [[1], 'int64', "there is no dtype 'int64': did you mean 'i32'?"],
    [[1], 'torch.FLOAT32', "did you mean 'f32'?"],
    [[1], 'complex64', "there is no dtype 'complex64': the types are f32, i32, u32"],
    [[1], 'constructor', "there is no dtype 'constructor': the types are"],
    [[1], null, 'there is no dtype null'],
  ])('refuses %s as %s', (data, dtype, message) => {
    expect(() => hostArray(data as NestedNumbers, dtype as HostDType)).toThrow(message);
    expect(() => hostArray(data as NestedNumbers, dtype as HostDType)).toThrow(/^tensor: [^\n]+$/);
  });
});

describe('checkStepInput', () => {
  it('makes of data what device.tensor makes of it', () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(checkStepInput({ data, shape: [2, 3] }, 0)).toEqual({ data, shape: [2, 3] });
    expect(checkStepInput({ data, shape: [2, 3] }, 0).data).toBe(data);
    expect(checkStepInput({ data, shape: [2, 3], dtype: 'i32' }, 0).data).toEqual(Int32Array.from(data));
    expect(checkStepInput({ data: [[1], [2]] }, 0)).toEqual({ data: Float32Array.of(1, 2), shape: [2, 1] });
    expect(checkStepInput(data, 0)).toEqual({ data, shape: [6] });
    expect(checkStepInput(0.5, 0)).toEqual({ data: Float32Array.of(0.5), shape: [] });
    expect(checkStepInput([[1, 2]], 0)).toEqual({ data: Float32Array.of(1, 2), shape: [1, 2] });
    expect(checkStepInput({ data: Uint8Array.of(9), shape: [] }, 0)).toEqual({
      data: Int32Array.of(9),
      shape: [],
    });
  });

  it.each<[unknown, string]>([
    [{ data: new Float32Array(5), shape: [2, 3] }, 'input 1: shape [2, 3] has 6 elements, the data 5'],
    [{ data: new Float32Array(5), shape: 5 }, 'input 1: the shape must be an array of sizes, got 5'],
    [
      { data: new Float32Array(5), shape: [5.5] },
      'input 1: every size must be a positive integer, got [5.5]',
    ],
    [{ data: new Float32Array(5), shape: new Array<number>(1) }, 'every size must be a positive integer'],
    [{ data: [1], shape: [1], dtype: 'int' }, "input 1: there is no dtype 'int': did you mean 'i32'?"],
    [{ data: [1], shapes: [1] }, "got an object with data, shapes: did you mean 'shape'?"],
    [{ shape: [1] }, 'input 1 must be a tensor, numbers, or { data, shape }, got an object with shape'],
    [undefined, 'input 1: data must be a number, an array of numbers or a typed array, got undefined'],
    ['x', "input 1: data must be a number, an array of numbers or a typed array, got 'x'"],
    [[1, 'x'], "input 1: element 1 is 'x', which is no number"],
  ])('refuses %s', (input, message) => {
    expect(() => checkStepInput(input, 1)).toThrow(message);
  });
});
