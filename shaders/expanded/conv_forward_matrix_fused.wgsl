// Expanded from shaders/*.wgsl by test/kernels/expanded.test.ts: conv2d forward 3x3 s1, 48 x 1728 x 200704. Not read by anything.

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

alias BElements = f16;
alias CElements = f16;
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read> b: array<BElements>;
@group(0) @binding(2) var<storage, read_write> c: array<CElements>;
@group(0) @binding(5) var<uniform> params: Params;

// Rows are taken four or three at a time: their numbers or places in A, and elements of A with their factors.
alias Rows = vec3i;
alias RowValues = vec3f;
alias RowFactors = mat3x3f;
const ROWS_AT_ONCE = 3;

// B's elements at inner index k lie at start + k * b_inner; they count as zero outside first <= k < end.
struct Walk {
  start: vec4i,
  first: vec4i,
  end: vec4i,
}

// A walk along all of the inner axis or none of it, which then starts where it may read.
fn whole_walk(start: vec4i, inside: vec4<bool>) -> Walk {
  return Walk(select(vec4i(0), start, inside), vec4i(0), select(vec4i(0), vec4i(params.inner), inside));
}

// GEMM loader for conv2d (implicit GEMM):
//
//   y[n, co, oy, ox] = sum over taps (ky, kx) and ci of w[co, ci, ky, kx] * x[n, ci, oy * s - p + ky * d, ox * s - p + kx * d]
//
// row = output channel of the group, column = output pixel (n, oy, ox), outer = tap (ky, kx), inner = input channel of
// the group.  A: weight [groups * rows][inner][kernel_height][kernel_width]; B: x [N][groups * inner][height][width];
// C: y [N][groups * rows][out_height][out_width]. x and y may be channels of wider maps, from b_first and c_first on.

// What conv2d's forward GEMM loaders share: parameters, and where an output pixel lies in C.

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
  b_table_channels: i32,
  b_table_first: i32,

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
  return vec3f(vec3<f16>(a[at.x], a[at.y], a[at.z]));
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
  return vec4f(vec4<f16>(b[at.x], b[at.y], b[at.z], b[at.w]));
}

@group(0) @binding(3) var<storage, read> b_table: array<f32>;

// Scale and shift of four columns' channels.
fn affine_of(channel: vec4i) -> mat2x4f {
  let scale = channel + params.b_table_first;
  let shift = scale + params.b_table_channels;
  return mat2x4f(
    vec4f(b_table[scale.x], b_table[scale.y], b_table[scale.z], b_table[scale.w]),
    vec4f(b_table[shift.x], b_table[shift.y], b_table[shift.z], b_table[shift.w]),
  );
}

// Factors of inner index k, the same for all columns: scale and shift, or p, q and s.
fn inner_factors(columns: Columns, k: i32) -> vec3f {
  let at = params.b_table_first + columns.channel + min(k, params.inner - 1);
  return vec3f(b_table[at], b_table[at + params.b_table_channels], 0);
}

// An index that may be read: the first element for what is not valid.
fn readable(index: vec4i, valid: vec4<bool>) -> vec4i {
  return select(vec4i(0), index, valid);
}

fn value_of_b(columns: Columns, index: vec4i, valid: vec4<bool>, factors: vec3f) -> vec4f {
  let at = index;
  let value = in_b(at);
  let y = fma(vec4f(factors.x), value, vec4f(factors.y));
  return relu(y);
}

// B at inner index k of four columns; `factors` are inner_factors of k.
fn load_b(columns: Columns, walk: Walk, k: i32, factors: vec3f) -> vec4f {
  let index = walk.start + k * params.b_inner;
  let valid = walk.end > vec4i(0);
  return select(vec4f(0), value_of_b(columns, index, valid, factors), valid);
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

fn out_columns(column: vec4i, group: i32) -> Out {
  let inside = min(column, vec4i(params.columns - 1));
  let start = c_columns(inside, group);
  return Out(column, start);
}

const PARTS_PER_TILE = 1;
const M = 16;
const N = 16;
const K = 16;
alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

const TILE_ROWS = 48;
const TILE_COLUMNS = 128;
const TILE_INNER = 16;
const SUBGROUPS_DOWN = 1;
const SUBGROUPS_ACROSS = 4;
const INVOCATIONS = SUBGROUPS_DOWN * SUBGROUPS_ACROSS * 32;
const DOWN = TILE_ROWS / (SUBGROUPS_DOWN * M);
const ACROSS = TILE_COLUMNS / (SUBGROUPS_ACROSS * N);

const ROW_VECTORS = TILE_ROWS / ROWS_AT_ONCE;
const COLUMN_VECTORS = TILE_COLUMNS / 4;
const ROW_STEPS = vec3i(0, 1, 2);
alias MatrixRows = vec3<f16>;
alias MatrixColumns = vec4<f16>;
// Inner indices that all invocations load at a time.
const A_AT_ONCE = INVOCATIONS / ROW_VECTORS;
const B_AT_ONCE = INVOCATIONS / COLUMN_VECTORS;
const A_LOADS = TILE_INNER / A_AT_ONCE;
const B_LOADS = TILE_INNER / B_AT_ONCE;

// 16 bytes more keep the rows of a matrix on different memory banks.
const A_STRIDE = TILE_INNER + 8;
const A_LENGTH = TILE_ROWS * A_STRIDE;
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
  return row * A_STRIDE + k;
}

fn b_at(k: i32, column: i32) -> i32 {
  return k * B_STRIDE + column;
}

// Columns in vector i of a tile.
fn vector_columns(i: i32) -> vec4i {
  return i + COLUMN_VECTORS * vec4i(0, 1, 2, 3);
}

fn a_element(rows: Rows, factors: RowFactors, outer: vec2i, k: i32) -> MatrixRows {
  return MatrixRows(load_a(rows + (a_outer(outer) + k * params.a_inner), a_apart(outer), factors));
}

fn put_a(vector: i32, k: i32, values: MatrixRows) {
  a_tile[a_at(vector, k)] = values.x;
  a_tile[a_at(vector + ROW_VECTORS, k)] = values.y;
  a_tile[a_at(vector + 2 * ROW_VECTORS, k)] = values.z;
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

alias Sum = f32;
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

var<workgroup> means: array<f32, STRIP_ROWS>;

fn keep_in_strip(i: i32, x: i32, values: vec4f) {
  let at = i * STRIP_STRIDE + vector_columns(x);
  strip[at.x] = values.x;
  strip[at.y] = values.y;
  strip[at.z] = values.z;
  strip[at.w] = values.w;
}

// The row of C in row i of strip `down`.
fn row_of(tile: Tile, down: i32, i: i32) -> i32 {
  return tile.row * TILE_ROWS + (i / M * DOWN + down) * M + i % M;
}

// Writes a strip of C. Every invocation must call it; x is the number of its vector of columns.
fn finish(tile: Tile, down: i32, x: i32, y: i32, out: Out) {
  for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
    let row = row_of(tile, down, i);
    let values = store(tile, row, out, in_strip(i, x));
    to_add[i][x] = fold(values);
    keep_in_strip(i, x, values);
  }
  add_across(x, y);
  let count = f32(min(params.columns - tile.column * TILE_COLUMNS, TILE_COLUMNS));
  if (x == 0) {
    for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
      means[i] = to_add[i][0] / count;
    }
  }
  workgroupBarrier();
  for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
    to_add[i][x] = fold(squares_around(means[i], out, in_strip(i, x)));
  }
  add_across(x, y);
  if (x == 0) {
    for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
      store_moments(tile, row_of(tile, down, i), tile.column, means[i], to_add[i][0], count);
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

  let a_vector = thread / A_AT_ONCE;
  let a_k = thread % A_AT_ONCE;
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
          left[i] = subgroupMatrixLoad<Left, row_major>(&a_tile, u32(a_at(block_row + i * M, q)), A_STRIDE);
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
