// Adds the partial results of a split GEMM in a fixed order: c[i] = sum over s of partial[s, i].
// Four elements an invocation, neighbours next to each other.
// Bindings: partial [splits][length]; c [length].

struct Params {
  length: u32,
  splits: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (workgroup.x + workgroup.y * workgroups.x) * 256 + lane;
  for (var i = first; i < min(first + 256, params.length); i += 64) {
    var sum = 0.0;
    for (var split = 0u; split < params.splits; split++) {
      sum += partial[split * params.length + i];
    }
    c[i] = sum;
  }
}
