// y = exp(x - m) / sum exp(x - m), m = max x, along the middle dimension; with LOG y = x - m - log(sum exp(x - m)).
//
// x, y [outer, size, inner]; a row is one (outer, inner). With TEAM (inner = 1 only) a workgroup shares a row.
//#include row
//#include nan
struct Params { rows: u32, size: u32, inner: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(LANES_)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_number(workgroup, workgroups, local);
  if (row >= params.rows) {
    return;
  }
  let lane = lane_number(local);
  let outer = row / params.inner;
  let base = outer * params.size * params.inner + (row - outer * params.inner);
  var highest = x[base];
  for (var r = lane; r < params.size; r += STEP) {
    highest = max(highest, x[base + r * params.inner]);
  }
  let top = max_lanes(highest, lane);
  var sum = 0.0;
  for (var r = lane; r < params.size; r += STEP) {
    sum += exp_or_nan(x[base + r * params.inner] - top);
  }
  let total = sum_lanes(sum, lane);
//#if LOG
  let log_total = log_or_nan(total);
  for (var r = lane; r < params.size; r += STEP) {
    y[base + r * params.inner] = (x[base + r * params.inner] - top) - log_total;
  }
//#else
  let scale = 1.0 / total;
  for (var r = lane; r < params.size; r += STEP) {
    y[base + r * params.inner] = exp_or_nan(x[base + r * params.inner] - top) * scale;
  }
//#endif
}
