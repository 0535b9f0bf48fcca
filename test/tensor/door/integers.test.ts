import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { add, amax, amin, argmax, max, min, sum, sumToShape, type Device } from '../../../src/index.ts';
import { testDevice } from '../../support/engine.ts';

const HUGE = 2 ** 31 - 1;

/** Values that f32 cannot tell apart, and signs. */
const SIGNED = Int32Array.of(HUGE - 1, -5, HUGE, -HUGE, 7, 7);
const UNSIGNED = Uint32Array.of(2 ** 32 - 2, 3, 2 ** 32 - 1, 0, 9, 9);

describe.each(['cpu', 'gpu'] as const)('integers in kernels for a %s', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ kind });
  });
  afterAll(() => device.destroy());

  it('sum to integers and wrap around', async () => {
    const x = device.tensor(SIGNED, [2, 3]);
    expect(await sum(x, 1).data()).toEqual(Int32Array.of((HUGE - 1 - 5 + HUGE) | 0, 14 - HUGE));
    expect(await sum(x, 0).data()).toEqual(Int32Array.of(-1, 2, (HUGE + 7) | 0));
    const u = device.tensor(UNSIGNED, [2, 3]);
    expect(await sum(u).data()).toEqual(Uint32Array.of(2 ** 32 - 3 + 3 + 18));
    expect(await sumToShape(x, [1, 3]).data()).toEqual(await sum(x, 0).data());
  });

  it('keep extremes to the bit, with their first places', async () => {
    const x = device.tensor(SIGNED, [2, 3]);
    expect(await amax(x, 1).data()).toEqual(Int32Array.of(HUGE, 7));
    expect(await amin(x).data()).toEqual(Int32Array.of(-HUGE));
    expect(await max(x).item()).toBe(HUGE);
    const { values, indices } = max(x, 1);
    expect(await values.data()).toEqual(Int32Array.of(HUGE, 7));
    expect(await indices.data()).toEqual(Int32Array.of(2, 1));
    expect(await min(x, 0).indices.data()).toEqual(Int32Array.of(1, 0, 1));
    expect(await argmax(x, 1).data()).toEqual(Int32Array.of(2, 1));
    const u = device.tensor(UNSIGNED, [2, 3]);
    expect(await amax(u, 1).data()).toEqual(Uint32Array.of(2 ** 32 - 1, 9));
    expect(await min(u, 1).values.data()).toEqual(Uint32Array.of(3, 0));
    expect(await argmax(u).data()).toEqual(Int32Array.of(2));
  });

  it('reduce over many elements, in several passes', async () => {
    const many = Int32Array.from({ length: 2 * 40_000 }, (_, i) => (i * 7919) % 100_003);
    const x = device.tensor(many, [2, 40_000]);
    const rows = [many.subarray(0, 40_000), many.subarray(40_000)];
    const total = (row: Int32Array): number => row.reduce((a, b) => (a + b) | 0, 0);
    expect(await sum(x, 1).data()).toEqual(Int32Array.from(rows, total));
    expect(await sum(x).data()).toEqual(Int32Array.of(total(many)));
    expect(await amax(x, 1).data()).toEqual(
      Int32Array.from(rows, (row) => row.reduce((a, b) => Math.max(a, b))),
    );
    expect(await argmax(x, 1).data()).toEqual(
      Int32Array.from(rows, (row) => row.indexOf(row.reduce((a, b) => Math.max(a, b)))),
    );
  });

  it('take whole numbers as operands', async () => {
    expect(await add(device.tensor(SIGNED), 1).data()).toEqual(SIGNED.map((v) => v + 1));
    expect(await add(device.tensor(Uint32Array.of(1)), 2 ** 32 - 1).data()).toEqual(Uint32Array.of(0));
  });
});
