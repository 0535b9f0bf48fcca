import { f32, i32, u32 } from '../../src/gpu/dispatch.ts';
import type { BufferRef, Dispatch } from '../../src/gpu/dispatch.ts';

/** A kernel with everything a kernel can have: y = factor * x + shift + BIAS + scalars[2]. */
const AXPY = `
override BIAS: f32 = 0.0;
struct Params {
  count: u32, // elements
  shift: i32,
  factor: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  y[id.x] = params.factor * x[id.x] + f32(params.shift) + BIAS + scalars[2];
}
`;

export function axpy(x: BufferRef, y: BufferRef, factor: number, options: { bias?: number } = {}): Dispatch {
  return {
    label: 'axpy',
    code: AXPY,
    constants: { BIAS: options.bias ?? 0 },
    // Not in the order of the struct: values are matched by name.
    params: { factor: f32(factor), count: u32(x.length), shift: i32(-3) },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    usesScalars: true,
    workgroups: [Math.ceil(x.length / 64), 1, 1],
    flops: 4 * x.length,
    bytes: 8 * x.length,
  };
}
