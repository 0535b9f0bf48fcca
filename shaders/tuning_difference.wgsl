// How far two results of the same work are apart: thread t takes elements t, t + threads, ... of `usual` and `other`, which both held
// `before` at first, and writes
//   partial[t] = sum of (other - usual)^2,  partial[threads + t] = sum of (usual - before)^2,
//   partial[2 threads + t] = number of elements of either that are infinite or NaN.
//
// before, usual, other [count]; partial [3, threads]. WGSL may assume that there is no NaN, so bits tell.
//#include threads
struct Params { count: u32, threads: u32 }

@group(0) @binding(0) var<storage, read> before: array<f32>;
@group(0) @binding(1) var<storage, read> usual: array<f32>;
@group(0) @binding(2) var<storage, read> other: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

fn run(thread: u32) {
  var difference = 0.0;
  var size = 0.0;
  var lost = 0.0;
  for (var i = thread; i < params.count; i += params.threads) {
    let a = usual[i];
    let b = other[i];
    if (is_finite(a) && is_finite(b)) {
      let made = a - before[i];
      difference += (b - a) * (b - a);
      size += made * made;
    } else {
      lost += 1.0;
    }
  }
  partial[thread] = difference;
  partial[params.threads + thread] = size;
  partial[2u * params.threads + thread] = lost;
}
