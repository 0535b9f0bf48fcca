// Expanded from shaders/*.wgsl by test/kernels/expanded.test.ts: conv2d forward 3x3 winograd, undefined. Not read by anything.

// Winograd's F(2x2, 3x3) for software adapters, in one kernel and in registers alone, since each element that is stored and loaded again
// costs them as much as some products:
//
//   y = A^T (sum over channels of U V) A,   V = B^T d B
//
// with patches d as in lib_winograd_patch and outputs as in lib_winograd_place. An invocation makes one tile of 16 rows of C (channels), a
// workgroup of 8 side by side eight tiles; neighbouring workgroups make other rows of the same tiles. An invocation's outputs are a part of
// the rows' statistics.
//
// Bindings: u [rows][inner][16], c; those of lib_winograd_patch and of gemm_store.

// ReLU in which a NaN stays, and its gradient. By bits, since WGSL lets max(NaN, 0) be 0: as signed numbers, the bits of -0 to
// -infinity are those up to NEGATIVE, and the bits of a NaN are above. VECTOR: four elements at once.
alias Real = vec4f;
alias Bits = vec4i;
const NEGATIVE = Bits(-0x800000);

fn relu(x: Real) -> Real {
  return select(x, Real(), bitcast<Bits>(x) <= NEGATIVE);
}

// dy where y > 0 or y is NaN, else 0, as PyTorch's threshold_backward; y is ReLU's result or its input.
fn relu_gradient(dy: Real, y: Real) -> Real {
  let bits = bitcast<Bits>(y);
  return select(dy, Real(), (bits <= NEGATIVE) | (bits == Bits()));
}

const PARTS_PER_TILE = 8;
const ROWS = 16;

struct Params {
  inner: i32,
  tiles: i32,
  row_tiles: i32,
  // Fields of Params that lib_winograd_patch needs.
  b_image: i32,
  b_first: i32,
  tiles_x: i32,
  tiles_of_image: i32,
  b_height: i32,
  b_width: i32,
  pad_y: i32,
  pad_x: i32,
  b_table_channels: i32,
  b_table_first: i32,

  // Fields of Params that lib_winograd_place and gemm_store need.
  groups: i32,
  rows: i32,
  // Columns of C, and parts of a row's statistics.
  columns: i32,
  column_tiles: i32,
  c_row: i32,
  c_length: i32,
  c_image: i32,
  c_first: i32,
  c_height: i32,
  c_width: i32,

}

@group(0) @binding(0) var<storage, read> u: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

// Patches for Winograd's F(2x2, 3x3): the 4x4 elements of a channel from which a 3x3 convolution makes 2x2 outputs, zero in the
// padding. They are loaded as gemm_load does: as they are or, with B_ACTIVATION, scale x + shift, with B_RELU max(0, that); with
// B_GRADIENT p g + q x + s. Tiles are numbered over images, rows and columns.
//
// Bindings: b: map [images][channels][height][width], perhaps channels of a wider one: b_image from one image to the next, from
// b_first on; b_x and b_table as in gemm_load.

@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> b_table: array<f32>;

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
  let apart = 0;
  return Patch(plane, apart, 2 * tile_y - params.pad_y, x, inside);
}

fn factors_of(channel: i32) -> vec3f {
  let at = params.b_table_first + channel;
  return vec3f(b_table[at], b_table[at + params.b_table_channels], 0);
}

fn patch_row(window: Patch, channel: i32, factors: vec3f, row: i32) -> vec4f {
  let y = window.y + row;
  let valid = window.inside & vec4<bool>(y >= 0 && y < params.b_height);
  let place = window.plane + (channel * params.b_height + y) * params.b_width + window.x;
  let at = select(vec4i(0), place, valid);
  let value = vec4f(vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]));
  let made = fma(vec4f(factors.x), value, vec4f(factors.y));
  return select(vec4f(), relu(made), valid);
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

// Outputs of tiles of Winograd's F(2x2, 3x3), which gemm_store stores as four columns of C: (0, 0), (0, 1), (1, 0), (1, 1). A column is
// an output pixel (image, y, x).
//
// Bindings: c: map, perhaps channels of a wider one: c_image from one image to the next, from c_first on.

alias CElements = f32;
@group(0) @binding(1) var<storage, read_write> c: array<CElements>;

// There are no groups and no splits.
struct Tile {
  group: i32,
  split: i32,
}

// A^T m A, row by row of m:  A^T = [1 1 1 0; 0 1 -1 -1].
fn outputs_of(row_0: vec4f, row_1: vec4f, row_2: vec4f, row_3: vec4f) -> vec4f {
  let upper = row_0 + row_1 + row_2;
  let lower = row_1 - row_2 - row_3;
  return vec4f(
    upper.x + upper.y + upper.z,
    upper.y - upper.z - upper.w,
    lower.x + lower.y + lower.z,
    lower.y - lower.z - lower.w,
  );
}

// Where a tile's outputs lie. Those beyond the edge lie where the first does, and are not stored.
fn place_of(tile: i32) -> Out {
  let image = tile / params.tiles_of_image;
  let in_image = tile - image * params.tiles_of_image;
  let tile_y = in_image / params.tiles_x;
  let y = 2 * tile_y + vec4i(0, 0, 1, 1);
  let x = 2 * (in_image - tile_y * params.tiles_x) + vec4i(0, 1, 0, 1);
  let inside = (y < vec4i(params.c_height)) & (x < vec4i(params.c_width));
  let pixel = y * params.c_width + x;
  let number = select(vec4i(params.columns), image * params.c_height * params.c_width + pixel, inside);
  let start = image * params.c_image + params.c_first + select(vec4i(pixel.x), pixel, inside);
  return Out(number, start);
}

// How elements of C are stored:
//   c = sum + bias                       always, unless NORM
//   MOMENTS   also per row, of each part of the columns: mean, sum of squares around it, number of elements
//   NORM      C is the gradient of a norm's output (of its ReLU with NORM_RELU): g = sum where scale x + shift > 0 or NaN, else 0;
//             c = weight g, with ACCUMULATE c += weight g; and per row and part the sums of g xhat and of g
//
// Bindings: bias; c_x: the norm's input, laid out like c but for images' distance and first channel; c_table: scale, shift, mean,
// invstd, weight [5][c_table_channels]; partials [3 or 2][parts][groups * rows].

@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

// Index in partials of the first kind; the next kind is `partials_kind()` further.
fn partial_of(tile: Tile, row: i32, part: i32) -> i32 {
  return (part * params.groups + tile.group) * params.rows + row;
}

fn partials_kind() -> i32 {
  return params.column_tiles * PARTS_PER_TILE * params.groups * params.rows;
}

// Four columns of C: their numbers, and the index of row 0 in c (and c_x) for each.
struct Out {
  column: vec4i,
  start: vec4i,
}

fn put(at: vec4i, inside: vec4<bool>, values: vec4f) {
  if (inside.x) {
    c[at.x] = CElements(values.x);
  }
  if (inside.y) {
    c[at.y] = CElements(values.y);
  }
  if (inside.z) {
    c[at.z] = CElements(values.z);
  }
  if (inside.w) {
    c[at.w] = CElements(values.w);
  }
}

// Writes four columns of one row; gives what was written, 0 beyond the edge.
fn store(tile: Tile, row: i32, out: Out, sum: vec4f) -> vec4f {
  if (row >= params.rows) {
    return vec4f();
  }
  let inside = out.column < vec4i(params.columns);
  let values = select(vec4f(0), sum, inside);
  put(out.start + (row * params.c_row + tile.split * params.c_length), inside, values);
  return values;
}

// Squared distances from `mean`, 0 beyond the edge.
fn squares_around(mean: f32, out: Out, values: vec4f) -> vec4f {
  let centered = select(vec4f(0), values - mean, out.column < vec4i(params.columns));
  return centered * centered;
}

fn store_moments(tile: Tile, row: i32, part: i32, mean: f32, squares: f32, count: f32) {
  if (row < params.rows) {
    let at = partial_of(tile, row, part);
    partials[at] = mean;
    partials[at + partials_kind()] = squares;
    partials[at + 2 * partials_kind()] = count;
  }
}

fn fold(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// The products of one row and channel, added to m.
fn plus(m: mat4x4f, at: i32, v: mat4x4f) -> mat4x4f {
  return mat4x4f(
    fma(u[at], v[0], m[0]),
    fma(u[at + 1], v[1], m[1]),
    fma(u[at + 2], v[2], m[2]),
    fma(u[at + 3], v[3], m[3]),
  );
}

// Where a row's U begins.
fn in_u(row: i32) -> i32 {
  return 4 * min(row, params.rows - 1) * params.inner;
}

// Writes the tile's outputs of one row.
fn finish_row(row: i32, part: i32, out: Out, m: mat4x4f) {
  let tile = Tile(0, 0);
  let outputs = outputs_of(m[0], m[1], m[2], m[3]);
  let values = store(tile, row, out, outputs);
  let count = dot(select(vec4f(), vec4f(1), out.column < vec4i(params.columns)), vec4f(1));
  let mean = fold(values) / max(count, 1);
  store_moments(tile, row, part, mean, fold(squares_around(mean, out, values)), count);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = i32(workgroup.x + workgroup.y * workgroups.x);
  let column = number / params.row_tiles;
  if (column >= params.column_tiles) {
    return;
  }
  let row = (number - column * params.row_tiles) * ROWS;
  let part = column * PARTS_PER_TILE + i32(lane);
  let exists = part < params.tiles;
  let number_of_tile = min(part, params.tiles - 1);
  let window = patch_of(number_of_tile, exists);
  let u0 = in_u(row + 0);
  let u1 = in_u(row + 1);
  let u2 = in_u(row + 2);
  let u3 = in_u(row + 3);
  let u4 = in_u(row + 4);
  let u5 = in_u(row + 5);
  let u6 = in_u(row + 6);
  let u7 = in_u(row + 7);
  let u8 = in_u(row + 8);
  let u9 = in_u(row + 9);
  let u10 = in_u(row + 10);
  let u11 = in_u(row + 11);
  let u12 = in_u(row + 12);
  let u13 = in_u(row + 13);
  let u14 = in_u(row + 14);
  let u15 = in_u(row + 15);
  var m0 = mat4x4f();
  var m1 = mat4x4f();
  var m2 = mat4x4f();
  var m3 = mat4x4f();
  var m4 = mat4x4f();
  var m5 = mat4x4f();
  var m6 = mat4x4f();
  var m7 = mat4x4f();
  var m8 = mat4x4f();
  var m9 = mat4x4f();
  var m10 = mat4x4f();
  var m11 = mat4x4f();
  var m12 = mat4x4f();
  var m13 = mat4x4f();
  var m14 = mat4x4f();
  var m15 = mat4x4f();
  for (var k = 0; k < params.inner; k++) {
    let v = transformed(window, k);
    let at = 4 * k;
    m0 = plus(m0, u0 + at, v);
    m1 = plus(m1, u1 + at, v);
    m2 = plus(m2, u2 + at, v);
    m3 = plus(m3, u3 + at, v);
    m4 = plus(m4, u4 + at, v);
    m5 = plus(m5, u5 + at, v);
    m6 = plus(m6, u6 + at, v);
    m7 = plus(m7, u7 + at, v);
    m8 = plus(m8, u8 + at, v);
    m9 = plus(m9, u9 + at, v);
    m10 = plus(m10, u10 + at, v);
    m11 = plus(m11, u11 + at, v);
    m12 = plus(m12, u12 + at, v);
    m13 = plus(m13, u13 + at, v);
    m14 = plus(m14, u14 + at, v);
    m15 = plus(m15, u15 + at, v);
  }
  var out = place_of(number_of_tile);
  out.column = select(vec4i(params.columns), out.column, exists);
  finish_row(row + 0, part, out, m0);
  finish_row(row + 1, part, out, m1);
  finish_row(row + 2, part, out, m2);
  finish_row(row + 3, part, out, m3);
  finish_row(row + 4, part, out, m4);
  finish_row(row + 5, part, out, m5);
  finish_row(row + 6, part, out, m6);
  finish_row(row + 7, part, out, m7);
  finish_row(row + 8, part, out, m8);
  finish_row(row + 9, part, out, m9);
  finish_row(row + 10, part, out, m10);
  finish_row(row + 11, part, out, m11);
  finish_row(row + 12, part, out, m12);
  finish_row(row + 13, part, out, m13);
  finish_row(row + 14, part, out, m14);
  finish_row(row + 15, part, out, m15);
}
