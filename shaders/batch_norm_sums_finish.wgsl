// Adds the parts of batch_norm_sums up: dweight = sum of part_dy_xhat, dbias = sum of part_dy, for each channel.
//
// part_* [parts, channels]; dweight, dbias [channels]. A row is a channel; lanes share its parts.
//#include row
struct Params { rows: u32, parts: u32 }

@group(0) @binding(0) var<storage, read> part_dy_xhat: array<f32>;
@group(0) @binding(1) var<storage, read> part_dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn run(channel: u32, lane: u32) {
  var products = 0.0;
  var gradients = 0.0;
  for (var p = lane; p < params.parts; p += STEP) {
    products += part_dy_xhat[p * params.rows + channel];
    gradients += part_dy[p * params.rows + channel];
  }
  let all = sum_lane_pairs(vec2f(products, gradients), lane);
  if (lane == 0u) {
    dweight[channel] = all.x;
    dbias[channel] = all.y;
  }
}
