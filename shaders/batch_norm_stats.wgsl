// Mean and centered sum of squares of each part of each channel. The second pass over a part finds it in cache, so
// that x moves once and no variance is a difference of large numbers.
//
// x [batch, channels, length], perhaps channels of a wider map: `image` from one image to the next, from `first` on;
// partial [2, parts, channels]: means, then sums of (x - mean of the part)^2; with COUNTS [3, ..], then numbers of elements.
//#include row
//#include parts
struct Params {
  rows: u32, channels: u32, batch: u32, length: u32,
  planes: u32, piece: u32, pieces: u32, width: u32, element_size: u32, image: u32, first: u32,
}

@group(0) @binding(0) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let part = part_of(row);
  let count = (part.end_plane - part.first_plane) * (part.end - part.first) * params.element_size;
  let plane_lane = lane / params.width;
  let lane_in_plane = lane - plane_lane * params.width;

  var total = 0.0;
  for (var n = part.first_plane + plane_lane; n < part.end_plane; n += STEP / params.width) {
    let base = n * params.image + part.channel * params.length + params.first;
    var sum = ELEMENT_();
    for (var l = part.first + lane_in_plane; l < part.end; l += params.width) {
      sum += x[base + l];
    }
    total += fold(sum);
  }
  let mean = sum_lanes(total, lane) / f32(count);

  var squares = 0.0;
  for (var n = part.first_plane + plane_lane; n < part.end_plane; n += STEP / params.width) {
    let base = n * params.image + part.channel * params.length + params.first;
    var sum = ELEMENT_();
    for (var l = part.first + lane_in_plane; l < part.end; l += params.width) {
      let centered = x[base + l] - ELEMENT_(mean);
      sum += centered * centered;
    }
    squares += fold(sum);
  }
  let centered_squares = sum_lanes(squares, lane);
  if (lane == 0u) {
    partial[row] = mean;
    partial[params.rows + row] = centered_squares;
//#if COUNTS
    partial[2 * params.rows + row] = f32(count);
//#endif
  }
}
