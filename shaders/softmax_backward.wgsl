// dx = y * (dy - sum dy * y) along the middle dimension; with LOG dx = dy - exp(y) * sum dy.
//
// dy, y, dx [outer, size, inner]; rows as in softmax.wgsl.
//#include row
//#include nan
struct Params { rows: u32, size: u32, inner: u32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let outer = row / params.inner;
  let base = outer * params.size * params.inner + (row - outer * params.inner);
  var sum = 0.0;
  for (var r = lane; r < params.size; r += STEP) {
    let at = base + r * params.inner;
//#if LOG
    sum += dy[at];
//#else
    sum += dy[at] * y[at];
//#endif
  }
  let total = sum_lanes(sum, lane);
  for (var r = lane; r < params.size; r += STEP) {
    let at = base + r * params.inner;
//#if LOG
    dx[at] = dy[at] - exp_or_nan(y[at]) * total;
//#else
    dx[at] = y[at] * (dy[at] - total);
//#endif
  }
}
