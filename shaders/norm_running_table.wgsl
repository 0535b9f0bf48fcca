// Table of a batch norm in evaluation (rows of src/kernels/maps.ts, NORM_ROWS), from its running statistics:
//   scale = weight * invstd,  shift = bias - mean * scale,  mean,  invstd = 1 / sqrt(variance + eps),  weight
//
// running_*, weight, bias [channels] (an absent weight or bias is bound to any buffer and not read); norm [5, channels].
struct Params { channels: u32, eps: f32 }

@group(0) @binding(0) var<storage, read> running_mean: array<f32>;
@group(0) @binding(1) var<storage, read> running_var: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) {
    return;
  }
  let mean = running_mean[channel];
  let invstd = 1.0 / sqrt(running_var[channel] + params.eps);
//#if WEIGHT
  let gain = weight[channel];
//#else
  let gain = 1.0;
//#endif
//#if BIAS
  let offset = bias[channel];
//#else
  let offset = 0.0;
//#endif
  let scale = gain * invstd;
  norm[channel] = scale;
  norm[params.channels + channel] = fma(-mean, scale, offset);
  norm[2u * params.channels + channel] = mean;
  norm[3u * params.channels + channel] = invstd;
  norm[4u * params.channels + channel] = gain;
}
