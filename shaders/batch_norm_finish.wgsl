// Joins the parts of each channel (Chan et al. 1979) and, with TRACK, moves the running statistics:
//   mean = sum n_p mean_p / n,  var = sum (m2_p + n_p (mean_p - mean)^2) / n
//   running_mean += momentum (mean - running_mean),  running_var += momentum (var n / (n - 1) - running_var)
//
// partial [2, parts, channels]; stats [2, channels]: mean, then 1 / sqrt(var + eps); running_* [channels]. A row is a
// channel; lanes share its parts.
//#include row
struct Params {
  rows: u32, batch: u32, length: u32, parts: u32,
  planes: u32, piece: u32, pieces: u32, element_size: u32, eps: f32, momentum: f32,
}

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
//#if TRACK
@group(0) @binding(2) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
//#else
@group(0) @binding(2) var<uniform> params: Params;
//#endif

fn count_of(part: u32) -> f32 {
  let group = part / params.pieces;
  let planes = min(params.planes, params.batch - group * params.planes);
  let piece = min(params.piece, params.length - (part - group * params.pieces) * params.piece);
  return f32(planes * piece * params.element_size);
}

fn run(channel: u32, lane: u32) {
  let count = f32(params.batch * params.length * params.element_size);
  var weighted = 0.0;
  for (var p = lane; p < params.parts; p += STEP) {
    weighted += count_of(p) / count * partial[p * params.rows + channel];
  }
  let mean = sum_lanes(weighted, lane);
  var squares = 0.0;
  for (var p = lane; p < params.parts; p += STEP) {
    let shift = partial[p * params.rows + channel] - mean;
    squares += partial[(params.parts + p) * params.rows + channel] + count_of(p) * shift * shift;
  }
  let centered_squares = sum_lanes(squares, lane);
  if (lane == 0u) {
    stats[channel] = mean;
    stats[params.rows + channel] = 1.0 / sqrt(centered_squares / count + params.eps);
//#if TRACK
    let unbiased = centered_squares / (count - 1.0);
    running_mean[channel] += params.momentum * (mean - running_mean[channel]);
    running_var[channel] += params.momentum * (unbiased - running_var[channel]);
//#endif
  }
}
