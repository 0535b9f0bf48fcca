// Gradient of a bias that was added to every image and pixel of its channel:
//
//   db[channel] = sum over n and p of dy[n, channel, p]
//
// A row (see lib_row) is a channel; its lanes take every 64th element.
// Bindings: dy [images][channels][pixels]; db [channels].
//#include row
struct Params { rows: u32, images: u32, pixels: u32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> db: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(channel: u32, lane: u32) {
  var total = 0.0;
  if (params.pixels >= STEP) {
    for (var image = 0u; image < params.images; image++) {
      let start = (image * params.rows + channel) * params.pixels;
      // A sum per image keeps the error of a long sum small.
      var sum = 0.0;
      for (var pixel = lane; pixel < params.pixels; pixel += STEP) {
        sum += dy[start + pixel];
      }
      total += sum;
    }
  } else {
    for (var i = lane; i < params.images * params.pixels; i += STEP) {
      let image = i / params.pixels;
      total += dy[(image * params.rows + channel) * params.pixels + i - image * params.pixels];
    }
  }
  let sum = sum_lanes(total, lane);
  if (lane == 0u) {
    db[channel] = sum;
  }
}
