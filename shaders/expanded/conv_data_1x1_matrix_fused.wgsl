// Expanded from shaders/*.wgsl by test/kernels/expanded.test.ts: conv2d backward data 1x1 s1, 384 x 192 x 200704. Not read by anything.

enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
// GEMM on subgroup matrices (tensor cores): a workgroup makes a tile of C from tiles of A and B in workgroup memory, which hold
// elements of the matrices' type, f16 or f32. Sums are f32. Each of SUBGROUPS_DOWN x SUBGROUPS_ACROSS subgroups makes a block of
// DOWN x ACROSS matrices of M x N elements; K is the inner size of a product of matrices.
//
// Vector i of a tile holds rows i, i + ROW_VECTORS, ... (columns i, i + COLUMN_VECTORS, ..., with QUADS 4 i, 4 i + 1, ...), as in
// gemm_tiled. An invocation loads the vectors of one row (column) index, A_LOADS of A and B_LOADS of B a tile, while the tile
// before is multiplied. With A_ALONG_ROWS (B_ALONG_COLUMNS) rows (columns) are neighbours in memory and in the tile, else inner
// indices are.
//
// C goes through workgroup memory to the store, M rows of every subgroup at a time: a strip.
// FLAT and MASKED are as in gemm_tiled. A tile's columns are a part of the rows' statistics.

// What both GEMM skeletons share. For every group g:
//
//   C[row, column] = bias + sum over outer and inner of A[row, (outer, inner)] * B[(outer, inner), column]
//
// The included loader says where the operands lie. Along `inner` both are affine; at each outer index B's columns begin
// anew and may be valid for part of the inner axis only (zero elsewhere: a convolution's padding). Some rows and four
// columns are walked at a time, as vectors of element indices:
//   a_rows(row, group), a_outer(outer)                 index in A at inner 0 is their sum
//   b_columns(column, group), b_walk(columns, outer)   index in B at inner 0, and the valid inner indices
//   c_columns(column, group)                           index in C of row 0
// An outer index is a pair (major, minor), so that going through them takes no division.
// A long sum may be split over workgroups: split s writes its part to C + s * c_length, gemm_sum_splits adds them.
//
// RAGGED: the inner axis is no multiple of the inner indices taken at a time. MASKED: it is not, or walks may leave B.
// WHOLE_WALKS: a walk lies inside B as a whole or not at all, and not RAGGED. QUADS: columns 4 i to 4 i + 3 lie side by side in B and in C,
// at multiples of four, and are read and written as one vector.
//
// The include `load` reads elements of A and B, the include `store` writes those of C.
//
// Bindings: a, b: operands in whatever layout the loader reads; c: result, or partial results [splits][c_length];
// then those of `load` and `store`. Each may be stored in a type of its own; what is computed is f32.

alias BElements = vec4<f16>;
alias CElements = vec4<f16>;
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read> b: array<BElements>;
@group(0) @binding(2) var<storage, read_write> c: array<CElements>;
@group(0) @binding(8) var<uniform> params: Params;

// Rows are taken four or three at a time: their numbers or places in A, and elements of A with their factors.
alias Rows = vec4i;
alias RowValues = vec4f;
alias RowFactors = mat3x4f;
const ROWS_AT_ONCE = 4;

// B's elements at inner index k lie at start + k * b_inner; they count as zero outside first <= k < end.
struct Walk {
  start: vec4i,
  first: vec4i,
  end: vec4i,
}

// A walk along all of the inner axis or none of it, which then starts where it may read.
fn whole_walk(start: vec4i, inside: vec4<bool>) -> Walk {
  return Walk(start, vec4i(0), vec4i(params.inner));
}

// GEMM loader for the gradient of conv2d with respect to its input:
//
//   dx[n, ci, y, x] = sum over taps (ky, kx) and co of w[co, ci, ky, kx] * dy[n, co, (y + p - ky * d) / s, (x + p - kx * d) / s]
//
// over those taps whose divisions leave no remainder and land inside dy. row = input channel of the group,
// column = input pixel (n, y, x), outer = tap, inner = output channel of the group.
// A: weight [groups * inner][rows][kernel_height][kernel_width]; B: dy [N][groups * inner][out_height][out_width];
// C: dx [N][groups * rows][height][width]. dy and dx may be channels of wider maps, from b_first and c_first on.

struct Params {
  // Fields with which every GEMM's Params begins; see gemm_common.wgsl.
  groups: i32,
  rows: i32,
  columns: i32,
  // The outer axis is a pair of them: an outer index is (major, minor), minor varying faster.
  outer_major: i32,
  outer_minor: i32,
  inner: i32,
  row_tiles: i32,
  column_tiles: i32,
  // The inner axis is cut into chunks; a segment is one chunk of one outer index, chunks varying slowest.
  chunk: i32,
  segments: i32,
  splits: i32,
  segments_per_split: i32,
  // Elements between one split's partial result and the next.
  c_length: i32,
  // Elements from one inner index to the next in A and in B, from one row to the next in C.
  a_inner: i32,
  b_inner: i32,
  c_row: i32,
  // bias[group * bias_group + row * bias_row + column * bias_column]
  bias_group: i32,
  bias_row: i32,
  bias_column: i32,
  b_apart_image: i32,
  b_apart_first: i32,
  b_table_channels: i32,
  b_table_first: i32,
  // c_x lies image * c_apart_image + c_apart_first elements behind c; its table [5][c_table_channels].
  c_apart_image: i32,
  c_apart_first: i32,
  c_table_channels: i32,
  c_table_first: i32,

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
  apart: vec4i,
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
  let apart = image * params.b_apart_image + params.b_apart_first;
  return Columns(start, y + params.pad_y, x + params.pad_x, channel, apart);
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

// How far x lies from c.
fn c_apart(column: vec4i) -> vec4i {
  return column / params.pixels * params.c_apart_image + params.c_apart_first;
}

// The number of the vector in which four columns' elements lie. A shift: indices are never negative.
fn quad_of(at: vec4i) -> i32 {
  return at.x >> 2;
}

struct Tile {
  group: i32,
  split: i32,
  row: i32,
  column: i32,
}

// Neighbouring workgroups share columns of B, so that these stay in the cache.
fn tile_of(workgroup: u32) -> Tile {
  var rest = i32(workgroup);
  let row = rest % params.row_tiles;
  rest /= params.row_tiles;
  let column = rest % params.column_tiles;
  rest /= params.column_tiles;
  return Tile(rest / params.splits, rest % params.splits, row, column);
}

// Where a segment begins on the inner axis, and its outer index.
struct Place {
  first: i32,
  outer: vec2i,
}

fn outer_of(index: i32) -> vec2i {
  let major = index / params.outer_minor;
  return vec2i(major, index - major * params.outer_minor);
}

fn place_of(segment: i32) -> Place {
  let outers = params.outer_major * params.outer_minor;
  let chunk = segment / outers;
  return Place(chunk * params.chunk, outer_of(segment - chunk * outers));
}

fn next_place(place: Place) -> Place {
  if (place.outer.y + 1 < params.outer_minor) {
    return Place(place.first, vec2i(place.outer.x, place.outer.y + 1));
  }
  if (place.outer.x + 1 < params.outer_major) {
    return Place(place.first, vec2i(place.outer.x + 1, 0));
  }
  return Place(place.first + params.chunk, vec2i(0, 0));
}

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

// How elements of A and B are loaded: as they are in memory or, with
//   A_GRADIENT, B_GRADIENT   p g + q x + s, batch norm's gradient from g (bound as a or b) and the norm's input x
//   B_ACTIVATION             scale x + shift, batch norm; with B_RELU max(0, that)
// The factors belong to the channel: A's row; B's inner index with B_INNER, else B's column. Padding is zero all the same.
//
// Bindings: a_x, b_x: the norm's input, laid out like a or b but for images' distance and first channel;
// a_table, b_table: p, q, s or scale, shift, [row][table_channels], the first channel in column table_first.

fn in_a(at: Rows) -> RowValues {
  return vec4f(vec4<f16>(a[at.x], a[at.y], a[at.z], a[at.w]));
}

fn a_coefficients(row: Rows, group: i32) -> RowFactors {
  return RowFactors();
}

fn a_apart(outer: vec2i) -> i32 {
  return 0;
}

fn load_a(at: Rows, apart: i32, factors: RowFactors) -> RowValues {
  return in_a(at);
}

fn in_b(at: vec4i) -> vec4f {
  return vec4f(b[quad_of(at)]);
}

@group(0) @binding(3) var<storage, read> b_x: array<BElements>;
@group(0) @binding(4) var<storage, read> b_table: array<f32>;

fn in_b_x(at: vec4i) -> vec4f {
  return vec4f(b_x[quad_of(at)]);
}

// Factors of inner index k, the same for all columns: scale and shift, or p, q and s.
fn inner_factors(columns: Columns, k: i32) -> vec3f {
  let at = params.b_table_first + columns.channel + k;
  return vec3f(b_table[at], b_table[at + params.b_table_channels], b_table[at + 2 * params.b_table_channels]);
}

// An index that may be read: the first element for what is not valid.
fn readable(index: vec4i, valid: vec4<bool>) -> vec4i {
  return index;
}

fn value_of_b(columns: Columns, index: vec4i, valid: vec4<bool>, factors: vec3f) -> vec4f {
  let at = readable(index, valid);
  let value = in_b(at);
  let x = in_b_x(readable(index + columns.apart, valid));
  return fma(vec4f(factors.x), value, fma(vec4f(factors.y), x, vec4f(factors.z)));
}

// B at inner index k of four columns; `factors` are inner_factors of k.
fn load_b(columns: Columns, walk: Walk, k: i32, factors: vec3f) -> vec4f {
  let index = walk.start + k * params.b_inner;
  return value_of_b(columns, index, vec4<bool>(true), factors);
}

// How elements of C are stored:
//   c = sum + bias                       always, unless NORM
//   MOMENTS   also per row, of each part of the columns: mean, sum of squares around it, number of elements
//   NORM      C is the gradient of a norm's output (of its ReLU with NORM_RELU): g = sum where scale x + shift > 0 or NaN, else 0;
//             c = weight g, with ACCUMULATE c += weight g; and per row and part the sums of g xhat and of g
//
// Bindings: bias; c_x: the norm's input, laid out like c but for images' distance and first channel; c_table: scale, shift, mean,
// invstd, weight [5][c_table_channels]; partials [3 or 2][parts][groups * rows].

@group(0) @binding(7) var<storage, read_write> partials: array<f32>;

// Index in partials of the first kind; the next kind is `partials_kind()` further.
fn partial_of(tile: Tile, row: i32, part: i32) -> i32 {
  return (part * params.groups + tile.group) * params.rows + row;
}

fn partials_kind() -> i32 {
  return params.column_tiles * PARTS_PER_TILE * params.groups * params.rows;
}

@group(0) @binding(5) var<storage, read> c_x: array<CElements>;
@group(0) @binding(6) var<storage, read> c_table: array<f32>;

// Four columns of C: their numbers, and the index of row 0 in c (and c_x) for each.
struct Out {
  column: vec4i,
  start: vec4i,
  x: vec4i,
}

fn put(at: vec4i, inside: vec4<bool>, values: vec4f) {
  if (inside.x) {
    c[quad_of(at)] = CElements(values);
  }
}

fn in_c(at: vec4i) -> vec4f {
  return vec4f(c[quad_of(at)]);
}

fn in_c_x(at: vec4i) -> vec4f {
  return vec4f(c_x[quad_of(at)]);
}

// c_table's column of a row.
struct NormRow {
  scale: f32,
  shift: f32,
  mean: f32,
  invstd: f32,
  weight: f32,
}

fn norm_of(tile: Tile, row: i32) -> NormRow {
  let at = params.c_table_first + tile.group * params.rows + min(row, params.rows - 1);
  let channels = params.c_table_channels;
  return NormRow(
    c_table[at],
    c_table[at + channels],
    c_table[at + 2 * channels],
    c_table[at + 3 * channels],
    c_table[at + 4 * channels],
  );
}

// Writes four columns of one row; gives the sums of g xhat and of g over them.
fn store(row: i32, norm: NormRow, out: Out, sum: vec4f) -> vec2f {
  if (row >= params.rows) {
    return vec2f();
  }
  let index = out.start + row * params.c_row;
  let x = in_c_x(out.x + row * params.c_row);
  let inside = out.column < vec4i(params.columns);
  // The same fma as in the activation's load, so that both agree on what is zero.
  let g = select(vec4f(0), relu_gradient(sum, fma(vec4f(norm.scale), x, vec4f(norm.shift))), inside);
  put(index, inside, in_c(index) + norm.weight * g);
  return vec2f(fold(g * (x - norm.mean)) * norm.invstd, fold(g));
}

fn store_sums(tile: Tile, row: i32, part: i32, sums: vec2f) {
  if (row < params.rows) {
    let at = partial_of(tile, row, part);
    partials[at] = sums.x;
    partials[at + partials_kind()] = sums.y;
  }
}

fn fold(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn out_columns(column: vec4i, group: i32) -> Out {
  let inside = min(column, vec4i(params.columns - 1));
  let start = c_columns(inside, group);
  return Out(column, start, start + c_apart(inside));
}

const PARTS_PER_TILE = 1;
const M = 16;
const N = 16;
const K = 16;
alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

const TILE_ROWS = 128;
const TILE_COLUMNS = 128;
const TILE_INNER = 16;
const SUBGROUPS_DOWN = 2;
const SUBGROUPS_ACROSS = 4;
const INVOCATIONS = SUBGROUPS_DOWN * SUBGROUPS_ACROSS * 32;
const DOWN = TILE_ROWS / (SUBGROUPS_DOWN * M);
const ACROSS = TILE_COLUMNS / (SUBGROUPS_ACROSS * N);

const ROW_VECTORS = TILE_ROWS / ROWS_AT_ONCE;
const COLUMN_VECTORS = TILE_COLUMNS / 4;
const ROW_STEPS = vec4i(0, 1, 2, 3);
alias MatrixRows = vec4<f16>;
alias MatrixColumns = vec4<f16>;
// Inner indices that all invocations load at a time.
const A_AT_ONCE = INVOCATIONS / ROW_VECTORS;
const B_AT_ONCE = INVOCATIONS / COLUMN_VECTORS;
const A_LOADS = TILE_INNER / A_AT_ONCE;
const B_LOADS = TILE_INNER / B_AT_ONCE;

// 16 bytes more keep the rows of a matrix on different memory banks.
const A_STRIDE = TILE_ROWS + 8;
const A_LENGTH = TILE_INNER * A_STRIDE;
const B_STRIDE = TILE_COLUMNS + 8;
const B_LENGTH = TILE_INNER * B_STRIDE;
const STRIP_ROWS = SUBGROUPS_DOWN * M;
const STRIP_STRIDE = TILE_COLUMNS + 4;
// Rows of a strip that all invocations store at a time.
const HEIGHT = INVOCATIONS / COLUMN_VECTORS;

var<workgroup> a_tile: array<f16, A_LENGTH>;
var<workgroup> b_tile: array<f16, B_LENGTH>;
var<workgroup> strip: array<f32, STRIP_ROWS * STRIP_STRIDE>;

fn a_at(row: i32, k: i32) -> i32 {
  return k * A_STRIDE + row;
}

fn b_at(k: i32, column: i32) -> i32 {
  return k * B_STRIDE + column;
}

// Columns in vector i of a tile.
fn vector_columns(i: i32) -> vec4i {
  return 4 * i + vec4i(0, 1, 2, 3);
}

fn a_element(rows: Rows, factors: RowFactors, outer: vec2i, k: i32) -> MatrixRows {
  return MatrixRows(load_a(rows + (a_outer(outer) + k * params.a_inner), a_apart(outer), factors));
}

fn put_a(vector: i32, k: i32, values: MatrixRows) {
  a_tile[a_at(vector, k)] = values.x;
  a_tile[a_at(vector + ROW_VECTORS, k)] = values.y;
  a_tile[a_at(vector + 2 * ROW_VECTORS, k)] = values.z;
  a_tile[a_at(vector + 3 * ROW_VECTORS, k)] = values.w;
}

fn put_b(vector: i32, k: i32, values: MatrixColumns) {
  let column = vector_columns(vector);
  b_tile[b_at(k, column.x)] = values.x;
  b_tile[b_at(k, column.y)] = values.y;
  b_tile[b_at(k, column.z)] = values.z;
  b_tile[b_at(k, column.w)] = values.w;
}

fn in_strip(i: i32, x: i32) -> vec4f {
  let at = i * STRIP_STRIDE + vector_columns(x);
  return vec4f(strip[at.x], strip[at.y], strip[at.z], strip[at.w]);
}

alias Sum = vec2f;
var<workgroup> to_add: array<array<Sum, COLUMN_VECTORS>, STRIP_ROWS>;

// Leaves the sum of each row of to_add in its first element. Every invocation must call it.
fn add_across(x: i32, y: i32) {
  for (var width = COLUMN_VECTORS / 2; width > 0; width /= 2) {
    workgroupBarrier();
    if (x < width) {
      for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
        to_add[i][x] += to_add[i][x + width];
      }
    }
  }
  workgroupBarrier();
}

// The row of C in row i of strip `down`.
fn row_of(tile: Tile, down: i32, i: i32) -> i32 {
  return tile.row * TILE_ROWS + (i / M * DOWN + down) * M + i % M;
}

// Writes a strip of C. Every invocation must call it; x is the number of its vector of columns.
fn finish(tile: Tile, down: i32, x: i32, y: i32, out: Out) {
  for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
    let row = row_of(tile, down, i);
    to_add[i][x] = store(row, norm_of(tile, row), out, in_strip(i, x));
  }
  add_across(x, y);
  if (x == 0) {
    for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
      store_sums(tile, row_of(tile, down, i), tile.column, to_add[i][0]);
    }
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let tile = tile_of(workgroup.x + workgroup.y * workgroups.x);
  if (tile.group >= params.groups) {
    return;
  }
  let thread = i32(invocation);
  // The subgroup's block in the tile.
  let block_row = i32(subgroup) / SUBGROUPS_ACROSS * (DOWN * M);
  let block_column = i32(subgroup) % SUBGROUPS_ACROSS * (ACROSS * N);

  let a_vector = thread % ROW_VECTORS;
  let a_k = thread / ROW_VECTORS;
  let b_vector = thread % COLUMN_VECTORS;
  let b_k = thread / COLUMN_VECTORS;
  let a_row = min(tile.row * TILE_ROWS + a_vector + ROW_VECTORS * ROW_STEPS, Rows(params.rows - 1));
  let rows = a_rows(a_row, tile.group);
  let factors = a_coefficients(a_row, tile.group);
  let first_column = tile.column * TILE_COLUMNS;
  let columns = b_columns(min(first_column + vector_columns(b_vector), vec4i(params.columns - 1)), tile.group);

  var c: array<array<Result, ACROSS>, DOWN>;
  var a_next: array<MatrixRows, A_LOADS>;
  var b_next: array<MatrixColumns, B_LOADS>;

  let first_segment = tile.split * params.segments_per_split;
  let end_segment = min(first_segment + params.segments_per_split, params.segments);
  var segment = first_segment;
  var place = place_of(segment);
  var k = place.first;
  var walk = b_walk(columns, place.outer);
  var more = segment < end_segment;
  var ready = false;
  loop {
    if (more) {
      for (var i = 0; i < A_LOADS; i++) {
        let at = k + a_k + i * A_AT_ONCE;
        a_next[i] = a_element(rows, factors, place.outer, at);
      }
      for (var i = 0; i < B_LOADS; i++) {
        let at = k + b_k + i * B_AT_ONCE;
        b_next[i] = MatrixColumns(load_b(columns, walk, at, inner_factors(columns, at)));
      }
    }
    if (ready) {
      for (var q = 0; q < TILE_INNER; q += K) {
        var left: array<Left, DOWN>;
        for (var i = 0; i < DOWN; i++) {
          left[i] = subgroupMatrixLoad<Left, col_major>(&a_tile, u32(a_at(block_row + i * M, q)), A_STRIDE);
        }
        for (var j = 0; j < ACROSS; j++) {
          let right = subgroupMatrixLoad<Right, row_major>(&b_tile, u32(b_at(q, block_column + j * N)), B_STRIDE);
          for (var i = 0; i < DOWN; i++) {
            c[i][j] = subgroupMatrixMultiplyAccumulate(left[i], right, c[i][j]);
          }
        }
      }
    }
    if (!more) {
      break;
    }
    workgroupBarrier();
    for (var i = 0; i < A_LOADS; i++) {
      put_a(a_vector, a_k + i * A_AT_ONCE, a_next[i]);
    }
    for (var i = 0; i < B_LOADS; i++) {
      put_b(b_vector, b_k + i * B_AT_ONCE, b_next[i]);
    }
    workgroupBarrier();
    ready = true;
    k += TILE_INNER;
    if (k >= min(place.first + params.chunk, params.inner)) {
      segment++;
      place = next_place(place);
      k = place.first;
      walk = b_walk(columns, place.outer);
      more = segment < end_segment;
    }
  }

  let x = thread % COLUMN_VECTORS;
  let y = thread / COLUMN_VECTORS;
  let out = out_columns(first_column + vector_columns(x), tile.group);
  let strip_row = i32(subgroup) / SUBGROUPS_ACROSS * M;
  for (var i = 0; i < DOWN; i++) {
    workgroupBarrier();
    for (var j = 0; j < ACROSS; j++) {
      let at = strip_row * STRIP_STRIDE + block_column + j * N;
      subgroupMatrixStore<row_major>(&strip, u32(at), c[i][j], STRIP_STRIDE);
    }
    workgroupBarrier();
    finish(tile, i, x, y, out);
  }
}
