// Where a plane (image and channel) of a pooling's x and y begins, and how x's elements are loaded. With VIEWS both may be
// channels of wider maps: *_image elements from one image to the next, from *_first on. With ACTIVATION an element is
// scale x + shift, with RELU the ReLU of that; norm [2 or more][table_channels]: scale, shift, from column table_first on.
//#include relu
//#if ACTIVATION
@group(0) @binding(NORM_BINDING_) var<storage, read> norm: array<f32>;

fn affine_of(plane: i32) -> vec2f {
  let at = plane % params.channels + params.table_first;
  return vec2f(norm[at], norm[at + params.table_channels]);
}

fn activated(x: f32, affine: vec2f) -> f32 {
//#if RELU
  return relu(fma(affine.x, x, affine.y));
//#else
  return fma(affine.x, x, affine.y);
//#endif
}
//#else
fn affine_of(plane: i32) -> vec2f {
  return vec2f();
}

fn activated(x: f32, affine: vec2f) -> f32 {
  return x;
}
//#endif

fn x_plane(plane: i32) -> i32 {
//#if VIEWS
  let image = plane / params.channels;
  let channel = plane - image * params.channels;
  return image * params.x_image + params.x_first + channel * params.in_height * params.in_width;
//#else
  return plane * params.in_height * params.in_width;
//#endif
}

fn y_plane(plane: i32) -> i32 {
//#if VIEWS
  let image = plane / params.channels;
  let channel = plane - image * params.channels;
  return image * params.y_image + params.y_first + channel * params.out_height * params.out_width;
//#else
  return plane * params.out_height * params.out_width;
//#endif
}
