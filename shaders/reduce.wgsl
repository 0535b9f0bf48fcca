// One pass of a reduction: y[o, s, i] = scale * combine of x[o, r, i] over s * chunk <= r < (s + 1) * chunk.
//
// x [outer, reduce, inner], y [outer, splits, inner]; a row is one output. With TEAM (inner = 1 only) a workgroup
// reduces a row. Every lane keeps four partial results. With VECTOR (inner = 1, chunk and reduce multiples of 4)
// x is read four elements at a time. `combine` takes a and b; it starts from START_, which may use `first`, the
// row's first element. Elements are of SCALAR_; scale is 1 for integers, whose sums wrap around.
//#include row
//#include nan
struct Params { rows: u32, splits: u32, reduce: u32, inner: u32, chunk: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> x: array<ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> y: array<SCALAR_>;
@group(0) @binding(2) var<uniform> params: Params;

fn combine(a: vec4<SCALAR_>, b: vec4<SCALAR_>) -> vec4<SCALAR_> {
  return COMBINE_;
}

fn combine_all(v: vec4<SCALAR_>) -> SCALAR_ {
  let pair = combine(v, v.zwxy);
  return combine(pair, pair.yxwz).x;
}
//#if TEAM

fn combine_two(a: f32, b: f32) -> f32 {
  return combine(vec4f(a), vec4f(b)).x;
}

// Lane 0 has the result.
fn combine_lanes(value: f32, lane: u32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
//#if SUBGROUPS
  var parts: array<f32, APART>;
  for (var i = 0u; i < APART; i++) {
    parts[i] = lane_values[slot + i * ACROSS];
  }
  for (var half = APART / 2u; half > 0u; half /= 2u) {
    for (var i = 0u; i < half; i++) {
      parts[i] = combine_two(parts[i], parts[i + half]);
    }
  }
  var result = parts[0];
  for (var width = ACROSS / 2u; width > 0u; width /= 2u) {
    result = combine_two(result, subgroupShuffleXor(result, width));
  }
  return result;
//#else
  for (var width = STEP / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_values[lane] = combine_two(lane_values[lane], lane_values[lane + width]);
    }
    workgroupBarrier();
  }
  return lane_values[0];
//#endif
}
//#endif

fn run(row: u32, lane: u32) {
  let rest = row / params.inner;
  let outer = rest / params.splits;
  let start = (rest - outer * params.splits) * params.chunk;
  let count = min(params.chunk, params.reduce - start);
  let base = (outer * params.reduce + start) * params.inner + (row - rest * params.inner);
//#if VECTOR
  let first = x[base / 4u].x;
  var total = vec4<SCALAR_>(START_);
  for (var r = lane; r < count / 4u; r += STEP) {
    total = combine(total, x[base / 4u + r]);
  }
//#else
  let first = x[base];
  var total = vec4<SCALAR_>(START_);
  let stride = params.inner * STEP;
  var r = lane;
  var at = base + lane * params.inner;
  for (; r + 3u * STEP < count; r += 4u * STEP) {
    total = combine(total, vec4<SCALAR_>(x[at], x[at + stride], x[at + 2u * stride], x[at + 3u * stride]));
    at += 4u * stride;
  }
  for (; r < count; r += STEP) {
    // Rotating sends leftovers to different lanes of the vector.
    total = combine(total, vec4<SCALAR_>(x[at], START_, START_, START_)).yzwx;
    at += stride;
  }
//#endif
//#if TEAM
  let result = combine_lanes(combine_all(total), lane);
  if (lane == 0u) {
    y[row] = result * params.scale;
  }
//#else
  y[row] = combine_all(total) * SCALAR_(params.scale);
//#endif
}
