// GEMM loader for the gradient of conv2d with respect to its weight:
//
//   dw[co, ci, ky, kx] = sum over n, oy, ox of dy[n, co, oy, ox] * x[n, ci, oy * s - p + ky * d, ox * s - p + kx * d]
//
// row = output channel of the group, column = (ci, ky, kx). The inner axis goes along one of ox and oy, the outer
// axis is (n, the other one): "along" and "across" below.
// A: dy [N][groups * rows][out_pixels]; B: x [N][channels][pixels]; C: dw [groups * rows][columns]. dy and x may be
// channels of wider maps, from a_first and b_first on.

struct Params {
  //#include fields
  // Elements from one image to the next, and before the first channel.
  a_image: i32,
  a_first: i32,
  b_image: i32,
  b_first: i32,
  pixels: i32,
  out_pixels: i32,
  taps: i32,
  kernel_width: i32,
  // Size of the input, stride and padding in either direction.
  across_size: i32,
  along_size: i32,
  across_stride: i32,
  along_stride: i32,
  across_pad: i32,
  along_pad: i32,
  // How far a step of ky or kx goes in either direction (its dilation or 0).
  across_ky: i32,
  across_kx: i32,
  along_ky: i32,
  along_kx: i32,
  // Elements from one across to the next in A and in B, from one along to the next in B.
  a_across: i32,
  b_across: i32,
  b_along: i32,
}

// Of a column: the index in x at n = oy = ox = 0, which may lie in the padding; its place across the image there; and
// the range of inner indices in which its tap stays inside the image.
struct Columns {
  start: vec4i,
  across: vec4i,
  first: vec4i,
  end: vec4i,
  //#if B_ACTIVATION
  affine: mat2x4f,
  //#endif
}

fn a_rows(row: Rows, group: i32) -> Rows {
  return (group * params.rows + row) * params.out_pixels + params.a_first;
}

fn a_outer(outer: vec2i) -> i32 {
  return outer.x * params.a_image + outer.y * params.a_across;
}
//#if A_GRADIENT

// How far a_x lies from a.
fn a_apart(outer: vec2i) -> i32 {
  return outer.x * params.a_apart_image + params.a_apart_first;
}
//#endif

// Number of steps of the stride from 0 that stay below `limit`.
fn steps_below(limit: vec4i) -> vec4i {
  return (max(limit, vec4i(0)) + (params.along_stride - 1)) / params.along_stride;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let in_channel = column / params.taps;
  let tap = column - in_channel * params.taps;
  let ky = tap / params.kernel_width;
  let kx = tap - ky * params.kernel_width;
  let across = ky * params.across_ky + kx * params.across_kx - params.across_pad;
  let along = ky * params.along_ky + kx * params.along_kx - params.along_pad;
  let channel = in_channel + group * (params.columns / params.taps);
  let start = params.b_first + channel * params.pixels + across * params.b_across + along * params.b_along;
  let end = min(steps_below(params.along_size - along), vec4i(params.inner));
  //#if B_ACTIVATION
  return Columns(start, across, steps_below(-along), end, affine_of(channel));
  //#else
  return Columns(start, across, steps_below(-along), end);
  //#endif
}

fn b_walk(columns: Columns, outer: vec2i) -> Walk {
  let moved = outer.y * params.across_stride;
  let across = columns.across + moved;
  let inside = (across >= vec4i(0)) & (across < vec4i(params.across_size));
  let start = columns.start + (outer.x * params.b_image + moved * params.b_across);
  return Walk(start, columns.first, select(vec4i(0), columns.end, inside));
}

fn c_columns(column: vec4i, group: i32) -> vec4i {
  return column + group * params.rows * params.columns;
}
