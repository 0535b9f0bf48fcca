// GEMM for GPUs: a workgroup of 16 x 16 invocations makes 128 rows x 64 columns of C (64 x 64 without EIGHT_ROWS),
// each invocation 8 x 4 (4 x 4), from tiles of A and B with 16 inner indices in workgroup memory.
//
// Vector i of a tile holds rows i, i + TILE_ROWS / 4, ... (columns i, i + 16, ...): neighbouring invocations then read
// neighbouring elements, every write to workgroup memory is a whole vec4f, and stores to C are coalesced. Each
// invocation loads one inner index per tile (two of A's with EIGHT_ROWS and A_ALONG_ROWS); A_ALONG_ROWS and B_ALONG_COLUMNS
// let neighbours run over rows or columns where these are the operand's shortest stride, else over inner indices.
//
// With FLAT the tiles of 16 run over outer and inner together, so that a short inner axis wastes nothing. With
// MASKED, B may be padded and the inner axis need not be a multiple of 16.

// A tile's columns are a part of the rows' statistics.

//#include common

const PARTS_PER_TILE = 1;
const TILE_INNER = 16;
const TILE_COLUMNS = 64;
//#if EIGHT_ROWS
const TILE_ROWS = 128;
//#else
const TILE_ROWS = 64;
//#endif
const ROW_VECTORS = TILE_ROWS / 4;
const COLUMN_VECTORS = TILE_COLUMNS / 4;
// One vector more per inner index keeps writes along the inner axis off the same memory bank.
const A_STRIDE = ROW_VECTORS + 1;
const B_STRIDE = COLUMN_VECTORS + 1;

var<workgroup> a_tile: array<vec4f, TILE_INNER * A_STRIDE>;
var<workgroup> b_tile: array<vec4f, TILE_INNER * B_STRIDE>;

fn a_element(rows: vec4i, factors: mat3x4f, outer: vec2i, k: i32) -> vec4f {
  //#if MASKED
  // B is zero beyond the inner axis.
  return load_a(rows + (a_outer(outer) + min(k, params.inner - 1) * params.a_inner), a_apart(outer), factors);
  //#else
  return load_a(rows + (a_outer(outer) + k * params.a_inner), a_apart(outer), factors);
  //#endif
}
//#if PARTIALS

// Sums over the 16 invocations of a row of them, known to all; four rows at once. Every invocation must call it.
fn sum_across(value: vec4f, thread: i32) -> vec4f {
  let x = thread % 16;
  workgroupBarrier();
  a_tile[thread] = value;
  workgroupBarrier();
  for (var width = 8; width > 0; width /= 2) {
    if (x < width) {
      a_tile[thread] += a_tile[thread + width];
    }
    workgroupBarrier();
  }
  return a_tile[thread - x];
}
//#endif

// Writes four columns of four rows. Every invocation must call it.
fn finish_rows(tile: Tile, thread: i32, row: vec4i, out: Out, c0: vec4f, c1: vec4f, c2: vec4f, c3: vec4f) {
  let v0 = store(tile, row.x, out, c0);
  let v1 = store(tile, row.y, out, c1);
  let v2 = store(tile, row.z, out, c2);
  let v3 = store(tile, row.w, out, c3);
  //#if NORM
  let products = sum_across(vec4f(v0.x, v1.x, v2.x, v3.x), thread);
  let gradients = sum_across(vec4f(v0.y, v1.y, v2.y, v3.y), thread);
  if (thread % 16 == 0) {
    for (var i = 0; i < 4; i++) {
      store_sums(tile, row[i], tile.column, vec2f(products[i], gradients[i]));
    }
  }
  //#endif
  //#if MOMENTS
  let count = f32(min(params.columns - tile.column * TILE_COLUMNS, TILE_COLUMNS));
  let mean = sum_across(vec4f(fold(v0), fold(v1), fold(v2), fold(v3)), thread) / count;
  let squares = sum_across(
    vec4f(
      fold(squares_around(mean.x, out, v0)),
      fold(squares_around(mean.y, out, v1)),
      fold(squares_around(mean.z, out, v2)),
      fold(squares_around(mean.w, out, v3)),
    ),
    thread,
  );
  if (thread % 16 == 0) {
    for (var i = 0; i < 4; i++) {
      store_moments(tile, row[i], tile.column, mean[i], squares[i], count);
    }
  }
  //#endif
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
) {
  let tile = tile_of(workgroup.x + workgroup.y * workgroups.x);
  if (tile.group >= params.groups) {
    return;
  }
  let thread = i32(invocation);
  let x = thread % 16;
  let y = thread / 16;
  let row = tile.row * TILE_ROWS;
  let column = tile.column * TILE_COLUMNS;
  let row_spread = ROW_VECTORS * vec4i(0, 1, 2, 3);
  let column_spread = COLUMN_VECTORS * vec4i(0, 1, 2, 3);
  let last_row = vec4i(params.rows - 1);
  let last_column = vec4i(params.columns - 1);

  //#if A_ALONG_ROWS
  let a_vector = thread % ROW_VECTORS;
  let a_k = thread / ROW_VECTORS;
  //#else
  let a_vector = y;
  let a_k = x;
  //#endif
  let a_row = min(row + a_vector + row_spread, last_row);
  let rows = a_rows(a_row, tile.group);
  let factors_1 = a_coefficients(a_row, tile.group);
  //#if EIGHT_ROWS
  //#if A_ALONG_ROWS
  let rows_2 = rows;
  let factors_2 = factors_1;
  let a_vector_2 = a_vector;
  let a_k_2 = a_k + TILE_INNER / 2;
  //#else
  let a_vector_2 = a_vector + 16;
  let a_row_2 = min(row + a_vector_2 + row_spread, last_row);
  let rows_2 = a_rows(a_row_2, tile.group);
  let factors_2 = a_coefficients(a_row_2, tile.group);
  let a_k_2 = a_k;
  //#endif
  //#endif
  //#if B_ALONG_COLUMNS
  let b_vector = x;
  let b_k = y;
  //#else
  let b_vector = y;
  let b_k = x;
  //#endif
  let columns = b_columns(min(column + b_vector + column_spread, last_column), tile.group);

  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  //#if EIGHT_ROWS
  var c4 = vec4f();
  var c5 = vec4f();
  var c6 = vec4f();
  var c7 = vec4f();
  //#endif

  let first_segment = tile.split * params.segments_per_split;
  let end_segment = min(first_segment + params.segments_per_split, params.segments);
  //#if FLAT
  let outers = params.outer_major * params.outer_minor;
  let sum_end = outers * params.inner;
  //#else
  var place = place_of(first_segment);
  //#endif
  for (var segment = first_segment; segment < end_segment; segment++) {
    //#if FLAT
    let first = segment * params.chunk;
    let end = min(first + params.chunk, sum_end);
    //#else
    let first = place.first;
    let outer = place.outer;
    place = next_place(place);
    let end = min(first + params.chunk, params.inner);
    let walk = b_walk(columns, outer);
    //#endif
    for (var k = first; k < end; k += TILE_INNER) {
      //#if FLAT
      // Past the end, outer is clamped for A, and inner is out of every walk's range for B.
      let a_flat = min(k + a_k, sum_end - 1);
      let a_outer_1 = a_flat / params.inner;
      let a_new = a_element(rows, factors_1, outer_of(a_outer_1), a_flat - a_outer_1 * params.inner);
      //#if EIGHT_ROWS
      let a_flat_2 = min(k + a_k_2, sum_end - 1);
      let a_outer_2 = a_flat_2 / params.inner;
      let a_new_2 = a_element(rows_2, factors_2, outer_of(a_outer_2), a_flat_2 - a_outer_2 * params.inner);
      //#endif
      let b_outer = min((k + b_k) / params.inner, outers - 1);
      let b_inner = k + b_k - b_outer * params.inner;
      let b_factors = inner_factors(columns, b_inner);
      let b_new = load_b(columns, b_walk(columns, outer_of(b_outer)), b_inner, b_factors);
      //#else
      let a_new = a_element(rows, factors_1, outer, k + a_k);
      //#if EIGHT_ROWS
      let a_new_2 = a_element(rows_2, factors_2, outer, k + a_k_2);
      //#endif
      let b_new = load_b(columns, walk, k + b_k, inner_factors(columns, k + b_k));
      //#endif
      workgroupBarrier();
      a_tile[a_k * A_STRIDE + a_vector] = a_new;
      //#if EIGHT_ROWS
      a_tile[a_k_2 * A_STRIDE + a_vector_2] = a_new_2;
      //#endif
      b_tile[b_k * B_STRIDE + b_vector] = b_new;
      workgroupBarrier();
      for (var q = 0; q < TILE_INNER; q++) {
        let b_row = b_tile[q * B_STRIDE + x];
        let a_low = a_tile[q * A_STRIDE + y];
        c0 = fma(vec4f(a_low.x), b_row, c0);
        c1 = fma(vec4f(a_low.y), b_row, c1);
        c2 = fma(vec4f(a_low.z), b_row, c2);
        c3 = fma(vec4f(a_low.w), b_row, c3);
        //#if EIGHT_ROWS
        let a_high = a_tile[q * A_STRIDE + y + 16];
        c4 = fma(vec4f(a_high.x), b_row, c4);
        c5 = fma(vec4f(a_high.y), b_row, c5);
        c6 = fma(vec4f(a_high.z), b_row, c6);
        c7 = fma(vec4f(a_high.w), b_row, c7);
        //#endif
      }
    }
  }

  let out = out_columns(column + x + column_spread, tile.group);
  finish_rows(tile, thread, row + y + row_spread, out, c0, c1, c2, c3);
  //#if EIGHT_ROWS
  finish_rows(tile, thread, row + y + 16 + row_spread, out, c4, c5, c6, c7);
  //#endif
}
