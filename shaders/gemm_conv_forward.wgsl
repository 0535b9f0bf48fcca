// GEMM loader for conv2d (implicit GEMM):
//
//   y[n, co, oy, ox] = sum over taps (ky, kx) and ci of w[co, ci, ky, kx] * x[n, ci, oy * s - p + ky * d, ox * s - p + kx * d]
//
// row = output channel of the group, column = output pixel (n, oy, ox), outer = tap (ky, kx), inner = input channel of
// the group.  A: weight [groups * rows][inner][kernel_height][kernel_width]; B: x [N][groups * inner][height][width];
// C: y [N][groups * rows][out_height][out_width]. x and y may be channels of wider maps, from b_first and c_first on.

//#include map

// Of a column: the index and the place in the input image of tap (0, 0), which may lie in the padding. Of all: the
// group's first channel.
struct Columns {
  start: vec4i,
  y: vec4i,
  x: vec4i,
  channel: i32,
}

fn a_rows(row: Rows, group: i32) -> Rows {
  return (group * params.rows + row) * (params.inner * params.taps);
}

fn a_outer(outer: vec2i) -> i32 {
  return outer.x * params.outer_minor + outer.y;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let image = column / params.out_pixels;
  let pixel = column - image * params.out_pixels;
  let out_y = pixel / params.out_width;
  let y = out_y * params.stride_y - params.pad_y;
  let x = (pixel - out_y * params.out_width) * params.stride_x - params.pad_x;
  let channel = group * params.inner;
  let start = image * params.b_image + (params.b_first + channel * params.height * params.width);
  return Columns(start + y * params.width + x, y, x, channel);
}

fn b_walk(columns: Columns, outer: vec2i) -> Walk {
  let dy = outer.x * params.dilation_y;
  let dx = outer.y * params.dilation_x;
  let y = columns.y + dy;
  let x = columns.x + dx;
  let inside_y = (y >= vec4i(0)) & (y < vec4i(params.height));
  let inside_x = (x >= vec4i(0)) & (x < vec4i(params.width));
  return whole_walk(columns.start + (dy * params.width + dx), inside_y & inside_x);
}
