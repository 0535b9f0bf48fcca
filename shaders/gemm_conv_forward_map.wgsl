// What conv2d's forward GEMM loaders share: parameters, and where an output pixel lies in C.

struct Params {
  //#include fields
  // Elements from one image to the next, and before the first channel.
  b_image: i32,
  b_first: i32,
  c_image: i32,
  c_first: i32,
  height: i32,
  width: i32,
  out_pixels: i32,
  out_width: i32,
  taps: i32,
  stride_y: i32,
  stride_x: i32,
  pad_y: i32,
  pad_x: i32,
  dilation_y: i32,
  dilation_x: i32,
}

fn c_columns(column: vec4i, group: i32) -> vec4i {
  let image = column / params.out_pixels;
  let pixel = column - image * params.out_pixels;
  return image * params.c_image + pixel + (params.c_first + group * params.rows * params.out_pixels);
}
