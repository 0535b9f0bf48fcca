import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dispatch } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { PROFILES, type SubgroupSizes } from '../../src/gpu/profile.ts';
import type { KernelContext } from '../../src/kernels/context.ts';
import { batchNormStats } from '../../src/kernels/norm.ts';
import { batchNormSums } from '../../src/kernels/norm_backward.ts';
import { reduce, type Reduction } from '../../src/kernels/reduce.ts';
import { rowPart } from '../../src/kernels/row.ts';
import { crossEntropyGradient, crossEntropyLosses, softmaxForward } from '../../src/kernels/softmax.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { FULL } from '../support/scale.ts';
import { contextOf } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

/*
 * Workgroups that share a row, with subgroups and without: the same tree, hence the same bits. The tests of the single ops compare
 * both with f64.
 */

const SPECIAL = [NaN, Infinity, -Infinity, -0, 0];

/** Normal numbers; every fourth row of `length` has NaNs, infinities and zeros among them, each alone and all together. */
function spoiled(name: string, rows: number, length: number): Float32Array<ArrayBuffer> {
  const values = Float32Array.from(normal(name, rows * length));
  for (let row = 0; row < rows; row += 4) {
    const chosen = row / 4 < SPECIAL.length ? SPECIAL.slice(row / 4, row / 4 + 1) : SPECIAL;
    chosen.forEach((value, i) => (values[row * length + ((37 * i + 5 * row) % length)] = value));
  }
  return values;
}

/** Bits, of all NaNs alike. */
const bitsOf = (values: Values): Uint32Array =>
  new Uint32Array(values.map((value) => (Number.isNaN(value) ? NaN : value)).buffer);

/** Results of every kind of sum over a workgroup, by name. */
async function results(gpu: Gpu, context: KernelContext, length: number): Promise<Map<string, Values>> {
  const rows = 24;
  const bindings = new Map<ReturnType<typeof buffer>, Values>();
  const given = (name: string, count: number, size: number) => {
    const made = buffer(count * size);
    bindings.set(made, spoiled(`${name} ${length}`, count, size));
    return made;
  };
  const dispatches: Dispatch[] = [];
  const outputs = new Map<string, ReturnType<typeof buffer>>();
  const output = (name: string, size: number) => {
    const made = buffer(size);
    outputs.set(name, made);
    return made;
  };
  const x = given('x', rows, length);
  const dy = given('dy', rows, length);
  for (const kind of ['sum', 'max', 'min'] satisfies Reduction[]) {
    const blocks = [
      { size: rows, reduced: false },
      { size: length, reduced: true },
    ];
    dispatches.push(...reduce(context, kind, x, output(kind, rows), blocks));
  }
  const extent = { outer: rows, reduce: length, inner: 1 };
  for (const log of [false, true])
    dispatches.push(softmaxForward(context, x, output(`softmax ${log}`, rows * length), extent, log));
  dispatches.push(crossEntropyLosses(context, x, dy, output('loss', rows)));
  const each = { rows, scale: 1, each: true };
  const logits = { dy: given('gradient', 1, rows), logits: x, target: dy };
  dispatches.push(
    crossEntropyGradient(context, { ...logits, dlogits: output('dlogits', rows * length) }, each),
  );
  const shape = { batch: 4, channels: rows / 4, length };
  const stats = output('stats', 2 * shape.channels);
  dispatches.push(...batchNormStats(context, x, stats, shape, 1e-5, null));
  const sums = { dweight: output('dweight', shape.channels), dbias: output('dbias', shape.channels) };
  dispatches.push(...batchNormSums(context, dy, x, stats, sums, shape));
  const written = await runDispatches(gpu, dispatches, bindings);
  return new Map([...outputs].map(([name, made]) => [name, written.get(made) ?? new Float32Array()]));
}

describe('rows that a workgroup shares', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu();
  });
  afterAll(() => gpu.destroy());

  it.each(FULL ? [67, 260, 2500] : [67, 2500])(
    'give the same bits with subgroups as without, %i elements',
    async (length) => {
      const on = (subgroups: SubgroupSizes | null): KernelContext => {
        const context = contextOf(gpu, 'gpu');
        return { ...context, geometry: { ...context.geometry, subgroups } };
      };
      const without = await results(gpu, on(null), length);
      const sizes = gpu.geometry.subgroups;
      // What the device's size is, and what it could be where others are possible too.
      const bounds =
        sizes === null
          ? []
          : [
              sizes,
              ...(FULL
                ? [
                    { min: sizes.min / 2, max: 64 },
                    { min: 1, max: 64 },
                  ]
                : []),
            ];
      for (const { min, max } of bounds) {
        const again = await results(gpu, on({ min, max }), length);
        for (const [name, values] of again)
          expect(bitsOf(values), `${name}, subgroups of ${min} to ${max}`).toEqual(
            bitsOf(without.get(name) ?? new Float32Array()),
          );
      }
      console.log(
        `rows of ${length}: ${without.size} results equal for ${bounds.length} bounds on subgroups`,
      );
    },
  );

  it('use subgroups only where workgroups fill them', () => {
    const team = { team: true, lanes: 64 };
    const on = (subgroups: SubgroupSizes | null) => rowPart({ ...PROFILES.h100, subgroups }, team).when;
    expect(on({ min: 8, max: 64 })).toEqual({ TEAM: true, SUBGROUPS: true });
    expect(on({ min: 64, max: 128 })).toEqual({ TEAM: true, SUBGROUPS: false });
    expect(on(null)).toEqual({ TEAM: true, SUBGROUPS: false });
  });
});
