// Gradient of batch normalisation to its input, with n = batch * length and xhat = (x - mean) * invstd:
//   TRAINING  dx = weight * invstd * (dy - sum_dy / n - xhat * sum_dy_xhat / n)
//   else      dx = weight * invstd * dy
//
// dy, x, dx [batch, channels, length] in ELEMENT_; stats [2, channels]: mean, invstd; weight, sum_* [channels] (absent
// ones are bound to any buffer and not read). A thread writes `run` neighbours of one plane.
//#include threads
struct Params { threads: u32, runs: u32, run: u32, channels: u32, length: u32, inverse_count: f32 }

@group(0) @binding(0) var<storage, read> dy: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> sum_dy_xhat: array<f32>;
@group(0) @binding(5) var<storage, read> sum_dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<ELEMENT_>;
@group(0) @binding(7) var<uniform> params: Params;

fn run(thread: u32) {
  let plane = thread / params.runs;
  let first = (thread - plane * params.runs) * params.run;
  let end = plane * params.length + min(first + params.run, params.length);
  let channel = plane % params.channels;
  let invstd = stats[params.channels + channel];
  var scale = invstd;
//#if WEIGHT
  scale *= weight[channel];
//#endif
//#if TRAINING
  let mean = ELEMENT_(stats[channel]);
  let mean_dy = ELEMENT_(sum_dy[channel] * params.inverse_count);
  let slope = invstd * sum_dy_xhat[channel] * params.inverse_count;
//#endif
  for (var at = plane * params.length + first; at < end; at++) {
//#if TRAINING
    dx[at] = scale * (dy[at] - mean_dy - (x[at] - mean) * slope);
//#else
    dx[at] = scale * dy[at];
//#endif
  }
}
