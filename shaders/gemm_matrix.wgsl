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

//#include common

const PARTS_PER_TILE = 1;
const M = MATRIX_ROWS_;
const N = MATRIX_COLUMNS_;
const K = MATRIX_INNER_;
alias Left = subgroup_matrix_left<MATRIX_ELEMENT_, K, M>;
alias Right = subgroup_matrix_right<MATRIX_ELEMENT_, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

const TILE_ROWS = TILE_ROWS_;
const TILE_COLUMNS = TILE_COLUMNS_;
const TILE_INNER = TILE_INNER_;
const SUBGROUPS_DOWN = SUBGROUPS_DOWN_;
const SUBGROUPS_ACROSS = SUBGROUPS_ACROSS_;
const INVOCATIONS = SUBGROUPS_DOWN * SUBGROUPS_ACROSS * SUBGROUP_SIZE_;
const DOWN = TILE_ROWS / (SUBGROUPS_DOWN * M);
const ACROSS = TILE_COLUMNS / (SUBGROUPS_ACROSS * N);

const ROW_VECTORS = TILE_ROWS / ROWS_AT_ONCE;
const COLUMN_VECTORS = TILE_COLUMNS / 4;
//#if FOUR_ROWS
const ROW_STEPS = vec4i(0, 1, 2, 3);
alias MatrixRows = vec4<MATRIX_ELEMENT_>;
//#else
const ROW_STEPS = vec3i(0, 1, 2);
alias MatrixRows = vec3<MATRIX_ELEMENT_>;
//#endif
alias MatrixColumns = vec4<MATRIX_ELEMENT_>;
// Inner indices that all invocations load at a time.
const A_AT_ONCE = INVOCATIONS / ROW_VECTORS;
const B_AT_ONCE = INVOCATIONS / COLUMN_VECTORS;
const A_LOADS = TILE_INNER / A_AT_ONCE;
const B_LOADS = TILE_INNER / B_AT_ONCE;

// 16 bytes more keep the rows of a matrix on different memory banks.
//#if A_ALONG_ROWS
const A_STRIDE = TILE_ROWS + PADDING_;
const A_LENGTH = TILE_INNER * A_STRIDE;
//#else
const A_STRIDE = TILE_INNER + PADDING_;
const A_LENGTH = TILE_ROWS * A_STRIDE;
//#endif
//#if B_ALONG_COLUMNS
const B_STRIDE = TILE_COLUMNS + PADDING_;
const B_LENGTH = TILE_INNER * B_STRIDE;
//#else
const B_STRIDE = TILE_INNER + PADDING_;
const B_LENGTH = TILE_COLUMNS * B_STRIDE;
//#endif
const STRIP_ROWS = SUBGROUPS_DOWN * M;
const STRIP_STRIDE = TILE_COLUMNS + 4;
// Rows of a strip that all invocations store at a time.
const HEIGHT = INVOCATIONS / COLUMN_VECTORS;

var<workgroup> a_tile: array<MATRIX_ELEMENT_, A_LENGTH>;
var<workgroup> b_tile: array<MATRIX_ELEMENT_, B_LENGTH>;
var<workgroup> strip: array<f32, STRIP_ROWS * STRIP_STRIDE>;

fn a_at(row: i32, k: i32) -> i32 {
  //#if A_ALONG_ROWS
  return k * A_STRIDE + row;
  //#else
  return row * A_STRIDE + k;
  //#endif
}

fn b_at(k: i32, column: i32) -> i32 {
  //#if B_ALONG_COLUMNS
  return k * B_STRIDE + column;
  //#else
  return column * B_STRIDE + k;
  //#endif
}

// Columns in vector i of a tile.
fn vector_columns(i: i32) -> vec4i {
  //#if QUADS
  return 4 * i + vec4i(0, 1, 2, 3);
  //#else
  return i + COLUMN_VECTORS * vec4i(0, 1, 2, 3);
  //#endif
}

fn a_element(rows: Rows, factors: RowFactors, outer: vec2i, k: i32) -> MatrixRows {
  //#if RAGGED
  // Beyond the inner axis both A and B are zero: an infinity times zero would be NaN.
  let values = load_a(rows + (a_outer(outer) + min(k, params.inner - 1) * params.a_inner), a_apart(outer), factors);
  return MatrixRows(select(RowValues(), values, k < params.inner));
  //#else
  return MatrixRows(load_a(rows + (a_outer(outer) + k * params.a_inner), a_apart(outer), factors));
  //#endif
}
//#if FLAT

// A and B at index k of outer and inner together. Past its end the outer index stays the last, and the inner one is out of
// every walk's range for B.
fn a_flat(rows: Rows, factors: RowFactors, k: i32) -> MatrixRows {
  let outer = min(k / params.inner, params.outer_major * params.outer_minor - 1);
  return a_element(rows, factors, outer_of(outer), k - outer * params.inner);
}

fn b_flat(columns: Columns, k: i32) -> vec4f {
  let outer = min(k / params.inner, params.outer_major * params.outer_minor - 1);
  let inner = k - outer * params.inner;
  return load_b(columns, b_walk(columns, outer_of(outer)), inner, inner_factors(columns, inner));
}
//#endif

fn put_a(vector: i32, k: i32, values: MatrixRows) {
  a_tile[a_at(vector, k)] = values.x;
  a_tile[a_at(vector + ROW_VECTORS, k)] = values.y;
  a_tile[a_at(vector + 2 * ROW_VECTORS, k)] = values.z;
  //#if FOUR_ROWS
  a_tile[a_at(vector + 3 * ROW_VECTORS, k)] = values.w;
  //#endif
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
//#if PARTIALS

//#if NORM
alias Sum = vec2f;
//#else
alias Sum = f32;
//#endif
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
//#endif
//#if MOMENTS

var<workgroup> means: array<f32, STRIP_ROWS>;

fn keep_in_strip(i: i32, x: i32, values: vec4f) {
  let at = i * STRIP_STRIDE + vector_columns(x);
  strip[at.x] = values.x;
  strip[at.y] = values.y;
  strip[at.z] = values.z;
  strip[at.w] = values.w;
}
//#endif

// The row of C in row i of strip `down`.
fn row_of(tile: Tile, down: i32, i: i32) -> i32 {
  return tile.row * TILE_ROWS + (i / M * DOWN + down) * M + i % M;
}

// Writes a strip of C. Every invocation must call it; x is the number of its vector of columns.
fn finish(tile: Tile, down: i32, x: i32, y: i32, out: Out) {
  for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
    let row = row_of(tile, down, i);
    //#if NORM
    to_add[i][x] = store(row, norm_of(tile, row), out, in_strip(i, x));
    //#else
    let values = store(tile, row, out, in_strip(i, x));
    //#if MOMENTS
    to_add[i][x] = fold(values);
    keep_in_strip(i, x, values);
    //#endif
    //#endif
  }
  //#if PARTIALS
  add_across(x, y);
  //#if NORM
  if (x == 0) {
    for (var i = y; i < STRIP_ROWS; i += HEIGHT) {
      store_sums(tile, row_of(tile, down, i), tile.column, to_add[i][0]);
    }
  }
  //#else
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
  //#endif
  //#endif
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

  //#if A_ALONG_ROWS
  let a_vector = thread % ROW_VECTORS;
  let a_k = thread / ROW_VECTORS;
  //#else
  let a_vector = thread / A_AT_ONCE;
  let a_k = thread % A_AT_ONCE;
  //#endif
  //#if B_ALONG_COLUMNS
  let b_vector = thread % COLUMN_VECTORS;
  let b_k = thread / COLUMN_VECTORS;
  //#else
  let b_vector = thread / B_AT_ONCE;
  let b_k = thread % B_AT_ONCE;
  //#endif
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
  //#if FLAT
  let end = min(end_segment * params.chunk, params.outer_major * params.outer_minor * params.inner);
  var k = first_segment * params.chunk;
  var more = k < end;
  //#else
  var segment = first_segment;
  var place = place_of(segment);
  var k = place.first;
  var walk = b_walk(columns, place.outer);
  var more = segment < end_segment;
  //#endif
  var ready = false;
  loop {
    if (more) {
      for (var i = 0; i < A_LOADS; i++) {
        let at = k + a_k + i * A_AT_ONCE;
        //#if FLAT
        a_next[i] = a_flat(rows, factors, at);
        //#else
        a_next[i] = a_element(rows, factors, place.outer, at);
        //#endif
      }
      for (var i = 0; i < B_LOADS; i++) {
        let at = k + b_k + i * B_AT_ONCE;
        //#if FLAT
        b_next[i] = MatrixColumns(b_flat(columns, at));
        //#else
        b_next[i] = MatrixColumns(load_b(columns, walk, at, inner_factors(columns, at)));
        //#endif
      }
    }
    if (ready) {
      for (var q = 0; q < TILE_INNER; q += K) {
        var left: array<Left, DOWN>;
        for (var i = 0; i < DOWN; i++) {
          left[i] = subgroupMatrixLoad<Left, A_ORDER_>(&a_tile, u32(a_at(block_row + i * M, q)), A_STRIDE);
        }
        for (var j = 0; j < ACROSS; j++) {
          let right = subgroupMatrixLoad<Right, B_ORDER_>(&b_tile, u32(b_at(q, block_column + j * N)), B_STRIDE);
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
    //#if FLAT
    more = k < end;
    //#else
    if (k >= min(place.first + params.chunk, params.inner)) {
      segment++;
      place = next_place(place);
      k = place.first;
      walk = b_walk(columns, place.outer);
      more = segment < end_segment;
    }
    //#endif
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
