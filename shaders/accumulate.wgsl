// y_i += x_i, in place.
//
// x and y are dense [count] of TYPE_, which is vec4f where the length is a multiple of 4.
struct Params { count: u32 }

@group(0) @binding(0) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(1) var<storage, read> x: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (i < params.count) {
    y[i] += x[i];
  }
}
