// The device's multiply-add rate: every thread runs eight independent chains x = x * a + b over four lanes, all in
// registers, 32 multiply-adds x 4 lanes an iteration.
//
// Lane and Lanes are declared before this text: f32 and vec4f, or f16 and vec4h.
// Geometry: 64 threads a workgroup, any number of workgroups.
// Bindings: 0 sums f32[threads], written so that nothing can be left out.

struct Params {
  iterations: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = Lanes(Lane(params.a));
  let b = Lanes(Lane(params.b));
  var x0 = Lanes(Lane(id.x % 64u)) * b;
  var x1 = x0 + 1.0;
  var x2 = x0 + 2.0;
  var x3 = x0 + 3.0;
  var x4 = x0 + 4.0;
  var x5 = x0 + 5.0;
  var x6 = x0 + 6.0;
  var x7 = x0 + 7.0;
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
