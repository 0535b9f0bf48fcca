// Gradient of a reduction, or a helper of it, for every element e of x with its output j(e):
//
//   spread  dx[e] = scale * dy[j]                               sum, mean
//   equal   dx[e] = 1 where x[e] equals y[j], else 0            counts the ties of amax, amin
//   share   dx[e] = dy[j] / ties[j] where x[e] equals y[j]      amax, amin
//   select  dx[e] = dy[j] where index[j] is e's place           max, min along one dimension
//
// If y[j] is NaN, as in PyTorch: the NaNs of x share its gradient with WHOLE, a reduction of all elements; else all of row j
// is NaN.
// x is seen with six dimensions (size0 .. size5, outermost first); j = sum of coordinate * stride, where the stride
// of a reduced dimension is 0. A thread writes `run` neighbours along the last dimension. For `select`, x is
// [outer, reduce, inner] as its last three dimensions, and e's place is its coordinate 4.
//#include threads
//#include nan
struct Params {
  threads: u32, runs: u32, run: u32, scale: f32,
  size1: u32, size2: u32, size3: u32, size4: u32, size5: u32,
  stride0: u32, stride1: u32, stride2: u32, stride3: u32, stride4: u32, stride5: u32,
}

//#if SPREAD
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
//#endif
//#if EQUAL
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
//#endif
//#if SHARE
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> ties: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
//#endif
//#if SELECT
@group(0) @binding(0) var<storage, read> index: array<i32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
//#endif

//#if TIES
fn equals(x: f32, y: f32) -> bool {
//#if WHOLE
  return select(x == y, is_nan(x), is_nan(y));
//#else
  return x == y && !is_nan(y);
//#endif
}

//#endif
fn run(thread: u32) {
  let row = thread / params.runs;
  let first = (thread - row * params.runs) * params.run;
  let row4 = row / params.size4;
  let row3 = row4 / params.size3;
  let row2 = row3 / params.size2;
  let row1 = row2 / params.size1;
  let c4 = row - row4 * params.size4;
  let c3 = row4 - row3 * params.size3;
  let c2 = row3 - row2 * params.size2;
  let c1 = row2 - row1 * params.size1;
  let base = row1 * params.stride0 + c1 * params.stride1 + c2 * params.stride2 + c3 * params.stride3 + c4 * params.stride4;
  for (var c5 = first; c5 < min(first + params.run, params.size5); c5++) {
    let e = row * params.size5 + c5;
    let j = base + c5 * params.stride5;
//#if SPREAD
    dx[e] = dy[j] * params.scale;
//#endif
//#if EQUAL
    dx[e] = select(0.0, 1.0, equals(x[e], y[j]));
//#endif
//#if SHARE
    dx[e] = select(select(0.0, not_a_number(), ties[j] == 0.0), dy[j] / ties[j], equals(x[e], y[j]));
//#endif
//#if SELECT
    dx[e] = select(0.0, dy[j], index[j] == i32(c4));
//#endif
  }
}
