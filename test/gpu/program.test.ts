import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { f32, i32, u32 } from '../../src/gpu/dispatch.ts';
import type { BufferRef, Dispatch } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { buffer, runDispatches } from '../kernels/run.ts';
import { testGpu } from '../support/device.ts';

const AXPY = `
struct Params { count: u32, shift: i32, factor: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  y[id.x] = params.factor * x[id.x] + f32(params.shift) + scalars[2];
}
`;

function axpy(x: BufferRef, y: BufferRef, factor: number): Dispatch {
  return {
    label: 'axpy',
    code: AXPY,
    params: { count: u32(x.length), shift: i32(-3), factor: f32(factor) },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    usesScalars: true,
    workgroups: [Math.ceil(x.length / 64), 1, 1],
    flops: 3 * x.length,
    bytes: 8 * x.length,
  };
}

describe.each([{ bakeParams: false }, { bakeParams: true }])(
  'a program with $bakeParams baked parameters',
  (options) => {
    let gpu: Gpu;
    beforeAll(async () => {
      gpu = await testGpu(options);
    });
    afterAll(() => gpu.destroy());

    it('runs dispatches in order', async () => {
      const [x, y, z] = [buffer(100), buffer(100), buffer(100)];
      const input = Float32Array.from({ length: 100 }, (_, i) => i / 8);
      const results = await runDispatches(
        gpu,
        [axpy(x, y, 0.1), axpy(y, z, -2)],
        new Map([[x, input]]),
        new Float32Array([0, 0, 0.5]),
      );
      const factor = Math.fround(0.1);
      const expected = input.map((value) => -2 * Math.fround(Math.fround(factor * value - 3) + 0.5) - 2.5);
      expect(results.get(z)?.length).toBe(100);
      results.get(z)?.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 5));
    });
  },
);
