// Input tiles for Winograd's F(2x2, 3x3), of a round of tiles:
//
//   V[i, j] = (B^T d B)[i, j],   B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]
//
// d is the 4x4 patch of a channel from which a 3x3 convolution makes 2x2 outputs, zero in the padding. Its elements are loaded
// as gemm_load does: as they are or, with B_ACTIVATION, scale x + shift, with B_RELU max(0, that); with B_GRADIENT p g + q x + s.
// Tiles are numbered over images, rows and columns. A thread makes the 16 elements of one tile of one channel; neighbours make
// neighbouring tiles. Columns beyond the round's tiles become zero.
//
// Bindings: b: map [images][channels][height][width], perhaps channels of a wider one: b_image from one image to the next, from
// b_first on; v [16][channels][stride]; b_x and b_table as in gemm_load.

//#include threads
//#include relu
struct Params {
  threads: u32,
  channels: i32,
  // Of the round: tiles, those rounded up, elements from one row of v to the next, and the first tile.
  count: i32,
  columns: i32,
  stride: i32,
  first_tile: i32,
  b_image: i32,
  b_first: i32,
  tiles_x: i32,
  tiles_of_image: i32,
  height: i32,
  width: i32,
  pad_y: i32,
  pad_x: i32,
  //#if B_GRADIENT
  b_apart_image: i32,
  b_apart_first: i32,
  //#endif
  //#if TABLE
  b_table_channels: i32,
  b_table_first: i32,
  //#endif
}

@group(0) @binding(0) var<storage, read> b: array<B_ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> v: array<f32>;
//#if TABLE
@group(0) @binding(B_TABLE_BINDING_) var<storage, read> b_table: array<f32>;
//#endif
//#if B_GRADIENT
@group(0) @binding(B_X_BINDING_) var<storage, read> b_x: array<B_ELEMENT_>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

// Where a patch lies: its channel's plane, the distance to b_x, its first row and its columns; and the channel's factors.
struct Patch {
  plane: i32,
  apart: i32,
  y: i32,
  x: vec4i,
  inside: vec4<bool>,
  factors: vec3f,
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

fn patch_row(window: Patch, row: i32) -> vec4f {
  let y = window.y + row;
  let valid = window.inside & vec4<bool>(y >= 0 && y < params.height);
  let at = select(vec4i(0), window.plane + y * params.width + window.x, valid);
  let value = vec4f(vec4<B_ELEMENT_>(b[at.x], b[at.y], b[at.z], b[at.w]));
  //#if B_ACTIVATION
  let made = fma(vec4f(window.factors.x), value, vec4f(window.factors.y));
  //#if B_RELU
  return select(vec4f(), relu(made), valid);
  //#else
  return select(vec4f(), made, valid);
  //#endif
  //#else
  //#if B_GRADIENT
  let at_x = select(vec4i(0), at + window.apart, valid);
  let x = vec4f(vec4<B_ELEMENT_>(b_x[at_x.x], b_x[at_x.y], b_x[at_x.z], b_x[at_x.w]));
  let made = fma(vec4f(window.factors.x), value, fma(vec4f(window.factors.y), x, vec4f(window.factors.z)));
  return select(vec4f(), made, valid);
  //#else
  return select(vec4f(), value, valid);
  //#endif
  //#endif
}

fn write_row(at: i32, step: i32, row: vec4f) {
  v[at] = row.x - row.z;
  v[at + step] = row.y + row.z;
  v[at + 2 * step] = row.z - row.y;
  v[at + 3 * step] = row.y - row.w;
}

fn run(thread: u32) {
  let channel = i32(thread) / params.columns;
  let column = i32(thread) - channel * params.columns;
  let tile = params.first_tile + column;
  let image = tile / params.tiles_of_image;
  let in_image = tile - image * params.tiles_of_image;
  let tile_y = in_image / params.tiles_x;
  let x = 2 * (in_image - tile_y * params.tiles_x) - params.pad_x + vec4i(0, 1, 2, 3);
  let inside = (x >= vec4i(0)) & (x < vec4i(params.width)) & vec4<bool>(column < params.count);
  let plane = image * params.b_image + params.b_first + channel * params.height * params.width;
  //#if B_GRADIENT
  let apart = image * params.b_apart_image + params.b_apart_first;
  //#else
  let apart = 0;
  //#endif
  let window = Patch(plane, apart, 2 * tile_y - params.pad_y, x, inside, factors_of(channel));
  let row_0 = patch_row(window, 0);
  let row_1 = patch_row(window, 1);
  let row_2 = patch_row(window, 2);
  let row_3 = patch_row(window, 3);
  let at = channel * params.stride + column;
  let step = params.channels * params.stride;
  write_row(at, step, row_0 - row_2);
  write_row(at + 4 * step, step, row_1 + row_2);
  write_row(at + 8 * step, step, row_2 - row_1);
  write_row(at + 12 * step, step, row_1 - row_3);
}
