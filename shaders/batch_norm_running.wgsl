// stats of evaluation mode: [2, channels] = running_mean, 1 / sqrt(running_var + eps).
struct Params { channels: u32, eps: f32 }

@group(0) @binding(0) var<storage, read> running_mean: array<f32>;
@group(0) @binding(1) var<storage, read> running_var: array<f32>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) {
    return;
  }
  stats[channel] = running_mean[channel];
  stats[params.channels + channel] = 1.0 / sqrt(running_var[channel] + params.eps);
}
