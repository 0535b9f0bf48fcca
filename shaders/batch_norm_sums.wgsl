// For the gradient of batch normalisation, sums over each part of each channel, with xhat = (x - mean) * invstd:
//   sum_dy_xhat = sum dy * xhat  (gradient of weight),  sum_dy = sum dy  (gradient of bias).
//
// dy, x [batch, channels, length]; stats [2, channels]: mean, invstd; sum_* [parts, channels].
//#include row
//#include parts
struct Params {
  rows: u32, channels: u32, batch: u32, length: u32, planes: u32, piece: u32, pieces: u32, width: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum_dy_xhat: array<f32>;
@group(0) @binding(4) var<storage, read_write> sum_dy: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let part = part_of(row);
  let plane_lane = lane / params.width;
  let lane_in_plane = lane - plane_lane * params.width;
  let mean = ELEMENT_(stats[part.channel]);
  var total = 0.0;
  var total_product = 0.0;
  for (var n = part.first_plane + plane_lane; n < part.end_plane; n += STEP / params.width) {
    let base = (n * params.channels + part.channel) * params.length;
    var sum = ELEMENT_();
    var product = ELEMENT_();
    for (var l = part.first + lane_in_plane; l < part.end; l += params.width) {
      let gradient = dy[base + l];
      sum += gradient;
      product += gradient * (x[base + l] - mean);
    }
    total += fold(sum);
    total_product += fold(product);
  }
  let all = sum_lane_pairs(vec2f(total, total_product), lane);
  if (lane == 0u) {
    sum_dy[row] = all.x;
    sum_dy_xhat[row] = all.y * stats[params.channels + part.channel];
  }
}
