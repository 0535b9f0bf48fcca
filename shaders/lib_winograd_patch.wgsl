// Patches for Winograd's F(2x2, 3x3): the 4x4 elements of a channel from which a 3x3 convolution makes 2x2 outputs, zero in the
// padding. They are loaded as gemm_load does: as they are or, with B_ACTIVATION, scale x + shift, with B_RELU max(0, that); with
// B_GRADIENT p g + q x + s. Tiles are numbered over images, rows and columns.
//
// Bindings: b: map [images][channels][height][width], perhaps channels of a wider one: b_image from one image to the next, from
// b_first on; b_x and b_table as in gemm_load.

@group(0) @binding(B_BINDING_) var<storage, read> b: array<B_ELEMENT_>;
//#if TABLE
@group(0) @binding(B_TABLE_BINDING_) var<storage, read> b_table: array<f32>;
//#endif
//#if B_GRADIENT
@group(0) @binding(B_X_BINDING_) var<storage, read> b_x: array<B_ELEMENT_>;
//#endif

// Where a tile's patch lies: the planes of channel 0, the distance to b_x, its first row and its columns.
struct Patch {
  plane: i32,
  apart: i32,
  y: i32,
  x: vec4i,
  inside: vec4<bool>,
}

fn patch_of(tile: i32, exists: bool) -> Patch {
  let image = tile / params.tiles_of_image;
  let in_image = tile - image * params.tiles_of_image;
  let tile_y = in_image / params.tiles_x;
  let x = 2 * (in_image - tile_y * params.tiles_x) - params.pad_x + vec4i(0, 1, 2, 3);
  let inside = (x >= vec4i(0)) & (x < vec4i(params.b_width)) & vec4<bool>(exists);
  let plane = image * params.b_image + params.b_first;
  //#if B_GRADIENT
  let apart = image * params.b_apart_image + params.b_apart_first;
  //#else
  let apart = 0;
  //#endif
  return Patch(plane, apart, 2 * tile_y - params.pad_y, x, inside);
}

fn factors_of(channel: i32) -> vec3f {
  //#if TABLE
  let at = params.b_table_first + channel;
  //#if B_GRADIENT
  return vec3f(b_table[at], b_table[at + params.b_table_channels], b_table[at + 2 * params.b_table_channels]);
  //#else
  return vec3f(b_table[at], b_table[at + params.b_table_channels], 0);
  //#endif
  //#else
  return vec3f();
  //#endif
}

fn patch_row(window: Patch, channel: i32, factors: vec3f, row: i32) -> vec4f {
  let y = window.y + row;
  let valid = window.inside & vec4<bool>(y >= 0 && y < params.b_height);
  let place = window.plane + (channel * params.b_height + y) * params.b_width + window.x;
  let at = select(vec4i(0), place, valid);
  let value = vec4f(vec4<B_ELEMENT_>(b[at.x], b[at.y], b[at.z], b[at.w]));
  //#if B_ACTIVATION
  let made = fma(vec4f(factors.x), value, vec4f(factors.y));
  //#if B_RELU
  return select(vec4f(), relu(made), valid);
  //#else
  return select(vec4f(), made, valid);
  //#endif
  //#else
  //#if B_GRADIENT
  let at_x = select(vec4i(0), place + window.apart, valid);
  let x = vec4f(vec4<B_ELEMENT_>(b_x[at_x.x], b_x[at_x.y], b_x[at_x.z], b_x[at_x.w]));
  let made = fma(vec4f(factors.x), value, fma(vec4f(factors.y), x, vec4f(factors.z)));
  return select(vec4f(), made, valid);
  //#else
  return select(vec4f(), value, valid);
  //#endif
  //#endif
}

fn across(row: vec4f) -> vec4f {
  return vec4f(row.x - row.z, row.y + row.z, row.z - row.y, row.y - row.w);
}

// B^T d B of a channel's patch d, row by row:  B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1].
fn transformed(window: Patch, channel: i32) -> mat4x4f {
  let factors = factors_of(channel);
  let row_0 = patch_row(window, channel, factors, 0);
  let row_1 = patch_row(window, channel, factors, 1);
  let row_2 = patch_row(window, channel, factors, 2);
  let row_3 = patch_row(window, channel, factors, 3);
  return mat4x4f(across(row_0 - row_2), across(row_1 + row_2), across(row_2 - row_1), across(row_1 - row_3));
}
