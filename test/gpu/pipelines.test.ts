import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dispatch, DType } from '../../src/gpu/dispatch.ts';
import { elementTypes } from '../../src/gpu/elements.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { buffer } from '../kernels/run.ts';
import { ownGpu, testProfile } from '../support/device.ts';
import { axpy } from './axpy.ts';

const kernel = (label: string, code: string, count = 1): Dispatch => ({
  label,
  code,
  operands: Array.from({ length: count }, () => ({ buffer: buffer(64), access: 'write' as const })),
  workgroups: [1, 1, 1],
  flops: 0,
  bytes: 0,
});

describe('pipelines', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await ownGpu();
  });
  afterAll(() => gpu.destroy());

  it('shows the line that does not compile', async () => {
    const bad = kernel(
      'relu f32',
      `@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_id) id: vec3u) {
  let value = y[id.x];
  y[id.x] = maximum(value, 0.0);
  return;
}
`,
    );
    const message = await gpu.pipelines
      .prepare([bad])
      .then(String, (error: unknown) => (error as Error).message);
    console.log(message);
    expect(message).toMatch(/^relu f32 does not compile: line 6:13: .*maximum/);
    expect(message.split('\n').slice(-5)).toEqual([
      '     4 | fn main(@builtin(local_invocation_id) id: vec3u) {',
      '     5 |   let value = y[id.x];',
      '>    6 |   y[id.x] = maximum(value, 0.0);',
      '     7 |   return;',
      '     8 | }',
    ]);
    await gpu.idle();
  });

  it.skipIf(testProfile === 'fast')(
    'names the kernel whose pipeline the device refuses (the fast profile validates nothing)',
    async () => {
      const huge = kernel('huge', '@compute @workgroup_size(100000) fn main() {}');
      await expect(gpu.pipelines.prepare([huge])).rejects.toThrow(/^huge does not compile: .*100000/);
      await gpu.idle();
    },
  );

  it('names the kernel that binds too much', async () => {
    const count = gpu.limits.maxStorageBuffersPerShaderStage + 1;
    const wide = kernel('wide', '@compute @workgroup_size(1) fn main() {}', count);
    await expect(gpu.pipelines.prepare([wide])).rejects.toThrow(
      `wide binds ${count} storage buffers, this device at most`,
    );
  });

  it('does not mind a binding that the WGSL never uses', async () => {
    const idle = kernel('idle', '@compute @workgroup_size(1) fn main() {}', 3);
    await expect(gpu.pipelines.prepare([idle])).resolves.toHaveLength(1);
    await gpu.idle();
  });

  it('compiles equal WGSL once, also within one call, and anew for other constants', async () => {
    const [x, y] = [buffer(64), buffer(64)];
    const before = gpu.counters.snapshot();
    const dispatches = [axpy(x, y, 1), axpy(x, y, 1), axpy(x, y, 1, { bias: 1 })];
    const [first, second, third] = await gpu.pipelines.prepare(dispatches);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(gpu.counters.since(before).pipelinesCreated).toBe(2);
  });

  it('refuses elements of a width that the WGSL does not take', async () => {
    const code = `alias Four = vec4<f32>;
@group(0) @binding(0) var<storage, read> x: array<Four>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>;
@compute @workgroup_size(1) fn main() { y[0] = bitcast<vec4u>(x[0]); }`;
    const of = (x: DType, y: DType): Dispatch => ({
      ...kernel('pass', code),
      operands: [
        { buffer: buffer(64, x), access: 'read' },
        { buffer: buffer(64, y), access: 'write' },
      ],
    });
    await expect(gpu.pipelines.prepare([of('f32', 'i32')])).resolves.toHaveLength(1);
    await expect(gpu.pipelines.prepare([of('f16', 'i32')])).rejects.toThrow(
      new TypeError('pass has no code for f16: its operand 0 is f32, cast first'),
    );
    await expect(gpu.pipelines.prepare([of('f32', 'u8')])).rejects.toThrow('its operand 1 is u32');
    expect([...elementTypes(code).values()]).toEqual(['f32', 'u32']);
  });
});
