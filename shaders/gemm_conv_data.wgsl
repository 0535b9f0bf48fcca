// GEMM loader for the gradient of conv2d with respect to its input:
//
//   dx[n, ci, y, x] = sum over taps (ky, kx) and co of w[co, ci, ky, kx] * dy[n, co, (y + p - ky * d) / s, (x + p - kx * d) / s]
//
// over those taps whose divisions leave no remainder and land inside dy. row = input channel of the group,
// column = input pixel (n, y, x), outer = tap, inner = output channel of the group.
// A: weight [groups * inner][rows][kernel_height][kernel_width]; B: dy [N][groups * inner][out_height][out_width];
// C: dx [N][groups * rows][height][width]. dy and dx may be channels of wider maps, from b_first and c_first on.

struct Params {
  //#include fields
  // Elements from one image to the next, and before the first channel.
  b_image: i32,
  b_first: i32,
  c_image: i32,
  c_first: i32,
  pixels: i32,
  width: i32,
  out_height: i32,
  out_width: i32,
  taps: i32,
  stride_y: i32,
  stride_x: i32,
  pad_y: i32,
  pad_x: i32,
  dilation_y: i32,
  dilation_x: i32,
}

// Of a column: the index in dy of the first channel, and the input pixel in padded coordinates. Of all: the group's
// first channel.
struct Columns {
  start: vec4i,
  y: vec4i,
  x: vec4i,
  channel: i32,
  //#if B_GRADIENT
  apart: vec4i,
  //#endif
}

fn a_rows(row: Rows, group: i32) -> Rows {
  return (group * params.inner * params.rows + row) * params.taps;
}

fn a_outer(outer: vec2i) -> i32 {
  return outer.x * params.outer_minor + outer.y;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let image = column / params.pixels;
  let pixel = column - image * params.pixels;
  let y = pixel / params.width;
  let x = pixel - y * params.width;
  let channel = group * params.inner;
  let start = image * params.b_image + (params.b_first + channel * params.out_height * params.out_width);
  //#if B_GRADIENT
  let apart = image * params.b_apart_image + params.b_apart_first;
  return Columns(start, y + params.pad_y, x + params.pad_x, channel, apart);
  //#else
  return Columns(start, y + params.pad_y, x + params.pad_x, channel);
  //#endif
}

// Division that costs nothing in the usual case, a stride of 1.
fn divided(value: vec4i, divisor: i32) -> vec4i {
  if (divisor == 1) {
    return value;
  }
  return value / divisor;
}

fn b_walk(columns: Columns, outer: vec2i) -> Walk {
  let y = columns.y - outer.x * params.dilation_y;
  let x = columns.x - outer.y * params.dilation_x;
  let out_y = divided(y, params.stride_y);
  let out_x = divided(x, params.stride_x);
  let inside_y = (y >= vec4i(0)) & (out_y * params.stride_y == y) & (out_y < vec4i(params.out_height));
  let inside_x = (x >= vec4i(0)) & (out_x * params.stride_x == x) & (out_x < vec4i(params.out_width));
  return whole_walk(columns.start + out_y * params.out_width + out_x, inside_y & inside_x);
}

fn c_columns(column: vec4i, group: i32) -> vec4i {
  let image = column / params.pixels;
  let pixel = column - image * params.pixels;
  return image * params.c_image + pixel + (params.c_first + group * params.rows * params.pixels);
}
//#if NORM

// How far x lies from c.
fn c_apart(column: vec4i) -> vec4i {
  return column / params.pixels * params.c_apart_image + params.c_apart_first;
}
//#endif
