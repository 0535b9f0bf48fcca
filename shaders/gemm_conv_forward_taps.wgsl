// GEMM loader for conv2d of few input channels, as in a stem: the sum of gemm_conv_forward with its axes exchanged, since
// three channels fill three lanes of four, a row of seven taps seven of eight.
//
// row = output channel of the group, column = output pixel (n, oy, ox), outer = (ci, ky), inner = kx.
// A: weight [groups * rows][channels][kernel_height][inner]; B: x [N][groups * channels][height][width];
// C: y [N][groups * rows][out_height][out_width]. x and y may be channels of wider maps, from b_first and c_first on.

//#include map

// Of a column: the index of tap (0, 0) in the group's first channel, which may lie in the padding; its row in the image; and the
// taps kx that stay inside the image.
struct Columns {
  start: vec4i,
  y: vec4i,
  first: vec4i,
  end: vec4i,
}

fn a_rows(row: Rows, group: i32) -> Rows {
  return (group * params.rows + row) * (params.outer_major * params.taps);
}

fn a_outer(outer: vec2i) -> i32 {
  return outer.x * params.taps + outer.y * params.inner;
}

// Number of taps from 0 that stay below `limit`.
fn taps_below(limit: vec4i) -> vec4i {
  return (max(limit, vec4i(0)) + (params.dilation_x - 1)) / params.dilation_x;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let image = column / params.out_pixels;
  let pixel = column - image * params.out_pixels;
  let out_y = pixel / params.out_width;
  let y = out_y * params.stride_y - params.pad_y;
  let x = (pixel - out_y * params.out_width) * params.stride_x - params.pad_x;
  let channel = group * params.outer_major;
  let start = image * params.b_image + (params.b_first + channel * params.height * params.width);
  let end = min(taps_below(params.width - x), vec4i(params.inner));
  return Columns(start + y * params.width + x, y, taps_below(-x), end);
}

fn b_walk(columns: Columns, outer: vec2i) -> Walk {
  let dy = outer.y * params.dilation_y;
  let y = columns.y + dy;
  let inside = (y >= vec4i(0)) & (y < vec4i(params.height));
  let start = columns.start + (outer.x * params.height + dy) * params.width;
  return Walk(start, columns.first, select(vec4i(0), columns.end, inside));
}
