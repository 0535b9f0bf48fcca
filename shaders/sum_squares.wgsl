// partial[first + t] = sum of x_i^2 over i = offset + t, offset + t + threads, ... below offset + count: the first
// stage of a norm, every sum in a fixed order. With more than one range each fills its own part of `partial`.
//
// x is an array of TYPE_, f32 or vec4f, in which offset and count are given; partial is f32.
//#include threads
struct Params { offset: u32, count: u32, threads: u32, first: u32 }

@group(0) @binding(0) var<storage, read> x: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(thread: u32) {
  var total = TYPE_(0.0);
  for (var i = thread; i < params.count; i += params.threads) {
    let value = x[params.offset + i];
    total += value * value;
  }
//#if VECTOR
  partial[params.first + thread] = (total.x + total.y) + (total.z + total.w);
//#else
  partial[params.first + thread] = total;
//#endif
}
