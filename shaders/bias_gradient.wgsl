// Gradient of a bias that was added to every image and pixel of its channel:
//
//   db[channel] = sum over n and p of dy[n, channel, p]
//
// One workgroup a channel; its invocations take every 64th element, then their sums are added in a fixed tree.
// Bindings: dy [images][channels][pixels]; db [channels].

struct Params {
  images: u32,
  channels: u32,
  pixels: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> db: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let channel = workgroup.x + workgroup.y * workgroups.x;
  if (channel >= params.channels) {
    return;
  }
  var total = 0.0;
  if (params.pixels >= 64) {
    for (var image = 0u; image < params.images; image++) {
      let start = (image * params.channels + channel) * params.pixels;
      // A sum per image keeps the error of a long sum small.
      var sum = 0.0;
      for (var pixel = lane; pixel < params.pixels; pixel += 64) {
        sum += dy[start + pixel];
      }
      total += sum;
    }
  } else {
    for (var i = lane; i < params.images * params.pixels; i += 64) {
      let image = i / params.pixels;
      total += dy[(image * params.channels + channel) * params.pixels + i - image * params.pixels];
    }
  }
  sums[lane] = total;
  for (var half = 32u; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
  }
  if (lane == 0) {
    db[channel] = sums[0];
  }
}
