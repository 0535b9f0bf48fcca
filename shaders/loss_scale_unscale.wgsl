// Takes the loss scale out of gradients, on elements [offset, offset + count) of a flat vector, and notes an overflow:
//
//   g = g / scale                             without ACCUMULATE
//   g = g + x / scale                         with ACCUMULATE
//   state[OVERFLOW] = 1 if an element of g is infinite or NaN
//
// The scale is a power of two, so 1 / scale and the product are exact. g and x are arrays of TYPE_, f32 or vec4f, in
// which offset and count are given; one TYPE_ a thread. state is u32 [6] (lib_loss_scale.wgsl).
//#include loss_scale
//#include threads
struct Params { offset: u32, threads: u32 }

@group(0) @binding(0) var<storage, read_write> g: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> state: array<atomic<u32>>;
//#if ACCUMULATE
@group(0) @binding(2) var<storage, read> x: array<TYPE_>;
@group(0) @binding(3) var<uniform> params: Params;
//#else
@group(0) @binding(2) var<uniform> params: Params;
//#endif

fn run(thread: u32) {
  let i = params.offset + thread;
  let unscale = 1.0 / bitcast<f32>(atomicLoad(&state[SCALE]));
//#if ACCUMULATE
  let result = g[i] + x[i] * unscale;
//#else
  let result = g[i] * unscale;
//#endif
  g[i] = result;
  // By its bits, since WGSL lets a compiler assume that there are no infinities.
  let exponents = bitcast<BITS_>(result) & BITS_(0x7f800000u);
  // Most threads of an overflow find the flag set.
  if (any(exponents == BITS_(0x7f800000u)) && atomicLoad(&state[OVERFLOW]) == 0u) {
    atomicOr(&state[OVERFLOW], 1u);
  }
}
