// Takes the gradient of a norm's output (of its ReLU with RELU) on to the norm's weight:
//   g = dy where scale x + shift > 0 or NaN, else 0 (with RELU);  gradient = weight g, with ACCUMULATE gradient += weight g
// and keeps, of each part of each channel, the sums of g xhat and of g. With POOLED dy is made from the gradient of an
// average over windows KERNEL_Y_ x KERNEL_X_ side by side: each element's share, 0 for what no window holds. With DROPOUT dy,
// which is dense, is the gradient of what a dropout behind the ReLU left.
//
// dy, x, gradient [batch, channels, length] in ELEMENT_, perhaps channels of wider maps: *_image from one image to the
// next, from *_first on; table [5][table_channels]: scale, shift, mean, invstd, weight, from column table_first on;
// partials [2, parts, channels]. Pooled dy [batch, channels, pooled_height, pooled_width].
//#include row
//#include parts
//#include relu
struct Params {
  rows: u32, channels: u32, batch: u32, length: u32, planes: u32, piece: u32, pieces: u32, width: u32,
  dy_image: u32, dy_first: u32, dy_length: u32, x_image: u32, x_first: u32, gradient_image: u32, gradient_first: u32,
  table_channels: u32, table_first: u32,
//#if POOLED
  image_width: u32, pooled_height: u32, pooled_width: u32,
//#endif
//#if DROPOUT
  op: u32, threshold: u32, keep_scale: f32, seed: u32, step: u32,
//#endif
}

@group(0) @binding(0) var<storage, read> dy: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<ELEMENT_>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
//#if DROPOUT
//#if PAST
//#else
@group(0) @binding(6) var<storage, read> scalars: array<f32>;
//#endif
//#include dropout
//#endif

fn run(row: u32, lane: u32) {
  let part = part_of(row);
  let plane_lane = lane / params.width;
  let lane_in_plane = lane - plane_lane * params.width;
  let at_table = params.table_first + part.channel;
  let scale = ELEMENT_(table[at_table]);
  let shift = ELEMENT_(table[at_table + params.table_channels]);
  let mean = ELEMENT_(table[at_table + 2u * params.table_channels]);
  let invstd = table[at_table + 3u * params.table_channels];
  let weight = table[at_table + 4u * params.table_channels];
//#if POOLED
  let first_y = (part.first + lane_in_plane) / params.image_width;
  let first_x = part.first + lane_in_plane - first_y * params.image_width;
  let step_y = params.width / params.image_width;
  let step_x = params.width - step_y * params.image_width;
//#endif
  var total = 0.0;
  var total_product = 0.0;
  for (var n = part.first_plane + plane_lane; n < part.end_plane; n += STEP / params.width) {
    let base_dy = n * params.dy_image + part.channel * params.dy_length + params.dy_first;
    let base_x = n * params.x_image + part.channel * params.length + params.x_first;
    let base = n * params.gradient_image + part.channel * params.length + params.gradient_first;
    var sum = ELEMENT_();
    var product = ELEMENT_();
//#if POOLED
    var position_y = first_y;
    var position_x = first_x;
//#endif
    for (var l = part.first + lane_in_plane; l < part.end; l += params.width) {
//#if POOLED
      let pooled_y = position_y / KERNEL_Y_;
      let pooled_x = position_x / KERNEL_X_;
      var g = 0.0;
      if (pooled_y < params.pooled_height && pooled_x < params.pooled_width) {
        g = dy[base_dy + pooled_y * params.pooled_width + pooled_x] / f32(KERNEL_Y_ * KERNEL_X_);
      }
      position_y += step_y;
      position_x += step_x;
      if (position_x >= params.image_width) {
        position_x -= params.image_width;
        position_y++;
      }
//#else
      var g = dy[base_dy + l];
//#endif
//#if DROPOUT
      g = dropped(g, base_dy + l);
//#endif
      let value = x[base_x + l];
//#if RELU
      // The same fma as in the activation's load, so that both agree on what is zero.
      g = relu_gradient(g, fma(scale, value, shift));
//#endif
//#if ACCUMULATE
      gradient[base + l] += weight * g;
//#else
      gradient[base + l] = weight * g;
//#endif
      sum += g;
      product += g * (value - mean);
    }
    total += fold(sum);
    total_product += fold(product);
  }
  let all = sum_lane_pairs(vec2f(total, total_product), lane);
  if (lane == 0u) {
    partials[row] = all.y * invstd;
    partials[params.rows + row] = all.x;
  }
}
