// Expanded from shaders/*.wgsl by test/kernels/expanded.test.ts: conv2d forward 3x3 s1, 48 x 1728 x 200704. Not read by anything.

enable subgroups;
// GEMM for software adapters that run 8 invocations in step, as the lanes of one subgroup. There a lane's own address costs a gather,
// about as much as nine vectors of products, so that elements are loaded once for as many products as can be: each invocation makes
// 48 rows x 4 columns of C (24 or 16 rows without FORTY_EIGHT), four inner indices at a time; a workgroup is one subgroup side by
// side, 48 x 32. An element of A is loaded by one lane and broadcast. With MASKED, B may be padded and the inner axis need not be a
// multiple of 4. An invocation's columns are a part of the row's statistics.

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

alias BElements = f32;
alias CElements = f32;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<BElements>;
@group(0) @binding(2) var<storage, read_write> c: array<CElements>;
@group(0) @binding(5) var<uniform> params: Params;

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
  return vec4f(vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]));
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
  return vec4f(vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]));
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

const PARTS_PER_TILE = 8;
const COLUMNS = 4;
const ROWS = 48;

// Loads of GEMMs in registers: A and B at four inner indices at a time.

// A of one row at inner indices k, k + 1, k + 2, k + 3. Beyond the inner axis both A and B are zero: an infinity times zero
// would be NaN.
fn along_inner(row_start: i32, apart: i32, row_factors: vec3f, k: i32) -> vec4f {
  let factors = mat3x4f(vec4f(row_factors.x), vec4f(row_factors.y), vec4f(row_factors.z));
  return load_a(row_start + (k + vec4i(0, 1, 2, 3)) * params.a_inner, apart, factors);
}

// B of four columns at inner indices k, k + 1, k + 2, k + 3.
fn four_of_b(columns: Columns, walk: Walk, k: i32, factors: mat4x3f) -> mat4x4f {
  return mat4x4f(
    load_b(columns, walk, k, factors[0]),
    load_b(columns, walk, k + 1, factors[1]),
    load_b(columns, walk, k + 2, factors[2]),
    load_b(columns, walk, k + 3, factors[3]),
  );
}

// inner_factors of four inner indices.
fn four_factors(columns: Columns, k: i32) -> mat4x3f {
  return mat4x3f(
    inner_factors(columns, k),
    inner_factors(columns, k + 1),
    inner_factors(columns, k + 2),
    inner_factors(columns, k + 3),
  );
}

// Of eight rows a lane loads four, at one of four inner indices: lanes 0 to 3 the first four rows, lanes 4 to 7 the others.
struct LaneRows {
  start: Rows,
  factors: RowFactors,
}

fn lane_rows(row: i32, lane: i32, group: i32) -> LaneRows {
  let rows = min(row + (lane >> 2) * 4 + vec4i(0, 1, 2, 3), vec4i(params.rows - 1));
  return LaneRows(a_rows(rows, group), a_coefficients(rows, group));
}

// The lane's elements of A. Beyond the inner axis both A and B are zero: an infinity times zero would be NaN.
fn lane_a(rows: LaneRows, outer: i32, apart: i32, inner: i32) -> vec4f {
  return load_a(rows.start + outer + inner * params.a_inner, apart, rows.factors);
}

// The first four of eight rows: column j of the matrix is row j at four inner indices.
fn first_rows(a: vec4f) -> mat4x4f {
  return transpose(
    mat4x4f(subgroupBroadcast(a, 0), subgroupBroadcast(a, 1), subgroupBroadcast(a, 2), subgroupBroadcast(a, 3)),
  );
}

fn last_rows(a: vec4f) -> mat4x4f {
  return transpose(
    mat4x4f(subgroupBroadcast(a, 4), subgroupBroadcast(a, 5), subgroupBroadcast(a, 6), subgroupBroadcast(a, 7)),
  );
}

// Writes four columns of one row.
fn finish_row(tile: Tile, part: i32, row: i32, out: Out, sum: vec4f) {
  let values = store(tile, row, out, sum);
  let count = f32(clamp(params.columns - out.column.x, 0, COLUMNS));
  let mean = fold(values) / max(count, 1);
  store_moments(tile, row, part, mean, fold(squares_around(mean, out, values)), count);
}

// Of four rows; a matrix's column is a row's sums.
fn finish_rows(tile: Tile, part: i32, row: i32, out: Out, sums: mat4x4f) {
  finish_row(tile, part, row, out, sums[0]);
  finish_row(tile, part, row + 1, out, sums[1]);
  finish_row(tile, part, row + 2, out, sums[2]);
  finish_row(tile, part, row + 3, out, sums[3]);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let tile = tile_of(workgroup.x + workgroup.y * workgroups.x);
  if (tile.group >= params.groups) {
    return;
  }
  let lane = i32(subgroup_lane);
  let row = tile.row * ROWS;
  let column = (tile.column * 8 + lane) * COLUMNS + vec4i(0, 1, 2, 3);
  let columns = b_columns(min(column, vec4i(params.columns - 1)), tile.group);
  let rows_0 = lane_rows(row, lane, tile.group);
  let rows_1 = lane_rows(row + 8, lane, tile.group);
  let rows_2 = lane_rows(row + 16, lane, tile.group);
  let rows_3 = lane_rows(row + 24, lane, tile.group);
  let rows_4 = lane_rows(row + 32, lane, tile.group);
  let rows_5 = lane_rows(row + 40, lane, tile.group);

  var c0 = mat4x4f();
  var c1 = mat4x4f();
  var c2 = mat4x4f();
  var c3 = mat4x4f();
  var c4 = mat4x4f();
  var c5 = mat4x4f();
  var c6 = mat4x4f();
  var c7 = mat4x4f();
  var c8 = mat4x4f();
  var c9 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();

  let first_segment = tile.split * params.segments_per_split;
  let end_segment = min(first_segment + params.segments_per_split, params.segments);
  var place = place_of(first_segment);
  for (var segment = first_segment; segment < end_segment; segment++) {
    let first = place.first;
    let outer = place.outer;
    place = next_place(place);
    let end = min(first + params.chunk, params.inner);
    let apart = a_apart(outer);
    let a_start = a_outer(outer);
    let walk = b_walk(columns, outer);
    for (var k = first; k < end; k += 4) {
      // Column q is B at inner index k + q, so that `b_four * vec4f` sums over four inner indices.
      let b_four = four_of_b(columns, walk, k, four_factors(columns, k));
      let inner = k + (lane & 3);
      let a0 = lane_a(rows_0, a_start, apart, inner);
      c0 += b_four * first_rows(a0);
      c1 += b_four * last_rows(a0);
      let a1 = lane_a(rows_1, a_start, apart, inner);
      c2 += b_four * first_rows(a1);
      c3 += b_four * last_rows(a1);
      let a2 = lane_a(rows_2, a_start, apart, inner);
      c4 += b_four * first_rows(a2);
      c5 += b_four * last_rows(a2);
      let a3 = lane_a(rows_3, a_start, apart, inner);
      c6 += b_four * first_rows(a3);
      c7 += b_four * last_rows(a3);
      let a4 = lane_a(rows_4, a_start, apart, inner);
      c8 += b_four * first_rows(a4);
      c9 += b_four * last_rows(a4);
      let a5 = lane_a(rows_5, a_start, apart, inner);
      c10 += b_four * first_rows(a5);
      c11 += b_four * last_rows(a5);
    }
  }

  let part = tile.column * PARTS_PER_TILE + lane;
  let out = out_columns(column, tile.group);
  finish_rows(tile, part, row, out, c0);
  finish_rows(tile, part, row + 4, out, c1);
  finish_rows(tile, part, row + 8, out, c2);
  finish_rows(tile, part, row + 12, out, c3);
  finish_rows(tile, part, row + 16, out, c4);
  finish_rows(tile, part, row + 20, out, c5);
  finish_rows(tile, part, row + 24, out, c6);
  finish_rows(tile, part, row + 28, out, c7);
  finish_rows(tile, part, row + 32, out, c8);
  finish_rows(tile, part, row + 36, out, c9);
  finish_rows(tile, part, row + 40, out, c10);
  finish_rows(tile, part, row + 44, out, c11);
}
