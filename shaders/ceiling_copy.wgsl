// The device's memory rate: y = x, one vec4f a thread.
//
// Geometry: 64 threads a workgroup, spread over x and y.
// Bindings: 0 x vec4f[count], 1 y vec4f[count].

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup_id.x + workgroup_id.y * num_workgroups.x) * 64u + lane;
  if (i < params.count) {
    y[i] = x[i];
  }
}
