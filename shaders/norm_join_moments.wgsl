// A norm's table, from the moments of its channels:
//   invstd = 1 / sqrt(variance + eps), scale = weight invstd, shift = bias - mean scale
// With PARTIALS the moments of channels fresh_first .. fresh_first + partial_channels are joined first (Chan et al. 1979):
//   mean = sum n_p mean_p / n,  variance = sum (m2_p + n_p (mean_p - mean)^2) / n
// With TRACK the running statistics move: running_mean += momentum (mean - running_mean),
//   running_var += momentum (variance n / (n - 1) - running_var).
//
// partials [3, parts, partial_channels]: mean_p, m2_p, n_p; moments [2][moments_channels]: mean, variance; table [5][table_channels]:
// scale, shift, mean, invstd, weight; channel c is column c + moments_first or table_first. running_*, weight, bias [channels].
// A row is a channel; lanes share its parts.
//#include row
struct Params {
  rows: u32, fresh_first: u32, parts: u32, partial_channels: u32,
  moments_channels: u32, moments_first: u32, table_channels: u32, table_first: u32,
  count: f32, eps: f32, momentum: f32,
}

@group(0) @binding(0) var<storage, read_write> moments: array<f32>;
@group(0) @binding(1) var<storage, read_write> table: array<f32>;
//#if PARTIALS
@group(0) @binding(PARTIALS_BINDING_) var<storage, read> partials: array<f32>;
//#endif
//#if TRACK
@group(0) @binding(MEAN_BINDING_) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(VARIANCE_BINDING_) var<storage, read_write> running_var: array<f32>;
//#endif
//#if WEIGHT
@group(0) @binding(WEIGHT_BINDING_) var<storage, read> weight: array<f32>;
//#endif
//#if BIAS
@group(0) @binding(BIAS_BINDING_) var<storage, read> bias: array<f32>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;
//#if PARTIALS

// Sums are taken over blocks of this many parts a lane first: many parts then lose no more than few.
const BLOCK = 64u;

struct Moments { mean: f32, variance: f32 }

fn joined(fresh: u32, lane: u32) -> Moments {
  let kind = params.parts * params.partial_channels;
  var weighted = 0.0;
  for (var first = lane; first < params.parts; first += BLOCK * STEP) {
    var block = 0.0;
    for (var p = first; p < min(first + BLOCK * STEP, params.parts); p += STEP) {
      let at = p * params.partial_channels + fresh;
      block += partials[2 * kind + at] / params.count * partials[at];
    }
    weighted += block;
  }
  let mean = sum_lanes(weighted, lane);
  var squares = 0.0;
  for (var first = lane; first < params.parts; first += BLOCK * STEP) {
    var block = 0.0;
    for (var p = first; p < min(first + BLOCK * STEP, params.parts); p += STEP) {
      let at = p * params.partial_channels + fresh;
      let shift = partials[at] - mean;
      block += partials[kind + at] + partials[2 * kind + at] * shift * shift;
    }
    squares += block;
  }
  return Moments(mean, sum_lanes(squares, lane) / params.count);
}
//#endif

fn run(channel: u32, lane: u32) {
  let at_mean = params.moments_first + channel;
  let at_variance = at_mean + params.moments_channels;
  var mean: f32;
  var variance: f32;
//#if PARTIALS
  // Below fresh_first this wraps around to a large number.
  let fresh = channel - params.fresh_first;
  if (fresh < params.partial_channels) {
    let found = joined(fresh, lane);
    mean = found.mean;
    variance = found.variance;
    if (lane == 0u) {
      moments[at_mean] = mean;
      moments[at_variance] = variance;
    }
  } else {
    mean = moments[at_mean];
    variance = moments[at_variance];
  }
//#else
  mean = moments[at_mean];
  variance = moments[at_variance];
//#endif
  if (lane == 0u) {
    let invstd = 1.0 / sqrt(variance + params.eps);
//#if WEIGHT
    let gain = weight[channel];
//#else
    let gain = 1.0;
//#endif
    let scale = gain * invstd;
//#if BIAS
    let shift = fma(-mean, scale, bias[channel]);
//#else
    let shift = -mean * scale;
//#endif
    let at = params.table_first + channel;
    table[at] = scale;
    table[at + params.table_channels] = shift;
    table[at + 2u * params.table_channels] = mean;
    table[at + 3u * params.table_channels] = invstd;
    table[at + 4u * params.table_channels] = gain;
//#if TRACK
    let unbiased = variance * (params.count / (params.count - 1.0));
    running_mean[channel] += params.momentum * (mean - running_mean[channel]);
    running_var[channel] += params.momentum * (unbiased - running_var[channel]);
//#endif
  }
}
