// The device's f16 multiply-add rate: ceiling_fma.wgsl over vec4h, eight independent chains x = x * a + b a thread, all in
// registers, 32 multiply-adds x 4 lanes an iteration.
//
// Geometry: 64 threads a workgroup, any number of workgroups.
// Bindings: 0 sums f32[threads], written so that nothing can be left out.

enable f16;

struct Params {
  iterations: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = vec4h(f16(params.a));
  let b = vec4h(f16(params.b));
  var x0 = vec4h(f16(id.x % 64u)) * b;
  var x1 = x0 + 1.0h;
  var x2 = x0 + 2.0h;
  var x3 = x0 + 3.0h;
  var x4 = x0 + 4.0h;
  var x5 = x0 + 5.0h;
  var x6 = x0 + 6.0h;
  var x7 = x0 + 7.0h;
  for (var i = 0u; i < params.iterations; i++) {
    x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;
    x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;
    x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;
    x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;
    x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;
    x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;
    x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;
    x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;
  }
  let sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7;
  sums[id.x] = f32(sum.x + sum.y + sum.z + sum.w);
}
