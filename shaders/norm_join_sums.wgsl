// The gradient of a norm's weight and bias from their parts, and the coefficients that make the gradient of its input:
//   dweight = sum of g xhat, dbias = sum of g
//   sums0 = weight dbias, sums1 = weight dweight, with ACCUMULATE added to what other norms of the same channels left there
//   d = p G + q x + s = invstd (G - sums0 / n - xhat sums1 / n), where G = sum of weight g over the norms
//
// partials [2, parts, channels]: sums of g xhat, of g; table [5][table_channels]: scale, shift, mean, invstd, weight;
// sums [2][sums_channels]; coefficients [3][coefficients_channels]: p, q, s; dweight, dbias [channels]. Channel c is column
// c + *_first. A row is a channel; lanes share its parts.
//#include row
struct Params {
  rows: u32, parts: u32, table_channels: u32, table_first: u32, sums_channels: u32, sums_first: u32,
  coefficients_channels: u32, coefficients_first: u32, inverse_count: f32,
}

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> coefficients: array<f32>;
//#if DWEIGHT
@group(0) @binding(DWEIGHT_BINDING_) var<storage, read_write> dweight: array<f32>;
//#endif
//#if DBIAS
@group(0) @binding(DBIAS_BINDING_) var<storage, read_write> dbias: array<f32>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

// Sums are taken over blocks of this many parts a lane first: many parts then lose no more than few.
const BLOCK = 64u;

fn run(channel: u32, lane: u32) {
  var lane_sums = vec2f();
  for (var first = lane; first < params.parts; first += BLOCK * STEP) {
    var block = vec2f();
    for (var p = first; p < min(first + BLOCK * STEP, params.parts); p += STEP) {
      let at = p * params.rows + channel;
      block += vec2f(partials[at], partials[params.parts * params.rows + at]);
    }
    lane_sums += block;
  }
  let joined = sum_lane_pairs(lane_sums, lane);
  if (lane == 0u) {
    let products = joined.x;
    let gradients = joined.y;
//#if DWEIGHT
    dweight[channel] = products;
//#endif
//#if DBIAS
    dbias[channel] = gradients;
//#endif
    let at_table = params.table_first + channel;
    let mean = table[at_table + 2u * params.table_channels];
    let invstd = table[at_table + 3u * params.table_channels];
    let weight = table[at_table + 4u * params.table_channels];
    let at_sums = params.sums_first + channel;
    var weighted = weight * vec2f(gradients, products);
//#if ACCUMULATE
    weighted += vec2f(sums[at_sums], sums[at_sums + params.sums_channels]);
//#endif
    sums[at_sums] = weighted.x;
    sums[at_sums + params.sums_channels] = weighted.y;
    let means = weighted * params.inverse_count;
    let at = params.coefficients_first + channel;
    coefficients[at] = invstd;
    coefficients[at + params.coefficients_channels] = -invstd * invstd * means.y;
    coefficients[at + 2u * params.coefficients_channels] = invstd * fma(invstd * mean, means.y, -means.x);
  }
}
