// y = exp(x - m) / sum exp(x - m), m = max x, along the middle dimension; with LOG y = x - m - log(sum exp(x - m)).
//
// x (bound as logits), y [outer, size, inner]; a row is one (outer, inner). With TEAM (inner = 1 only) a workgroup shares a row.
//#include row
//#include nan
//#include exponentials
struct Params { rows: u32, size: u32, inner: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let outer = row / params.inner;
  let base = outer * params.size * params.inner + (row - outer * params.inner);
  let exponentials = exponentials_of(base, params.inner, lane);
//#if LOG
  let log_total = log_or_nan(exponentials.total);
  for (var r = lane; r < params.size; r += STEP) {
    y[base + r * params.inner] = (logits[base + r * params.inner] - exponentials.top) - log_total;
  }
//#else
  let scale = 1.0 / exponentials.total;
  for (var r = lane; r < params.size; r += STEP) {
    y[base + r * params.inner] = exp_or_nan(logits[base + r * params.inner] - exponentials.top) * scale;
  }
//#endif
}
