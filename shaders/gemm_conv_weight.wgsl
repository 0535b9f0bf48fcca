// GEMM loader for the gradient of conv2d with respect to its weight:
//
//   dw[co, ci, ky, kx] = sum over n, oy, ox of dy[n, co, oy, ox] * x[n, ci, oy * s - p + ky * d, ox * s - p + kx * d]
//
// row = output channel of the group, column = (ci, ky, kx), outer = (n, oy), inner = ox.
// A: dy [N][groups * rows][out_height][inner]; B: x [N][channels][height][width];
// C: dw [groups * rows][columns].

struct Params {
  //#include fields
  channels: i32,
  height: i32,
  width: i32,
  out_height: i32,
  taps: i32,
  kernel_width: i32,
  stride_y: i32,
  stride_x: i32,
  pad_y: i32,
  pad_x: i32,
  dilation_y: i32,
  dilation_x: i32,
}

// Of a column: the index in x at n = oy = ox = 0, which may lie in the padding; its row of the image there; and
// the range of ox in which its tap stays inside the image's width.
struct Columns {
  start: vec4i,
  y: vec4i,
  first: vec4i,
  end: vec4i,
}

fn a_rows(row: vec4i, group: i32) -> vec4i {
  return (group * params.rows + row) * (params.out_height * params.inner);
}

fn a_outer(outer: i32) -> i32 {
  let image = outer / params.out_height;
  let out_y = outer - image * params.out_height;
  return (image * params.groups * params.rows * params.out_height + out_y) * params.inner;
}

// Number of steps of x's stride from x = 0 that stay below `limit`.
fn steps_below(limit: vec4i) -> vec4i {
  return (max(limit, vec4i(0)) + (params.stride_x - 1)) / params.stride_x;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let in_channel = column / params.taps;
  let tap = column - in_channel * params.taps;
  let kernel_y = tap / params.kernel_width;
  let y = kernel_y * params.dilation_y - params.pad_y;
  let x = (tap - kernel_y * params.kernel_width) * params.dilation_x - params.pad_x;
  let channel = in_channel + group * (params.columns / params.taps);
  let end = min(steps_below(params.width - x), vec4i(params.inner));
  return Columns((channel * params.height + y) * params.width + x, y, steps_below(-x), end);
}

fn b_walk(columns: Columns, outer: i32) -> Walk {
  let image = outer / params.out_height;
  let down = (outer - image * params.out_height) * params.stride_y;
  let y = columns.y + down;
  let inside = (y >= vec4i(0)) & (y < vec4i(params.height));
  let start = columns.start + (image * params.channels * params.height + down) * params.width;
  return Walk(start, columns.first, select(vec4i(0), columns.end, inside));
}

fn c_columns(column: vec4i, group: i32) -> vec4i {
  return column + group * params.rows * params.columns;
}
