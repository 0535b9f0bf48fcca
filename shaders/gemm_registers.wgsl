// GEMM for software adapters, in registers alone: workgroup memory and barriers are slow there, vectors of
// invocations fast. Each invocation makes 8 rows x 8 columns of C (4 x 8 without EIGHT_ROWS), four inner indices at a
// time; a workgroup is 8 invocations side by side, 8 x 64. Its rows of A are the same for all of them, hence cheap.
// With MASKED, B may be padded and the inner axis need not be a multiple of 4.

// An invocation's columns are a part of the row's statistics.

//#include common

const PARTS_PER_TILE = 8;
const COLUMNS = 8;
//#if EIGHT_ROWS
const ROWS = 8;
//#else
const ROWS = 4;
//#endif

//#include four

// Writes eight columns of one row.
fn finish_row(tile: Tile, part: i32, row: i32, low: Out, high: Out, sum_low: vec4f, sum_high: vec4f) {
  //#if NORM
  let norm = norm_of(tile, row);
  store_sums(tile, row, part, store(row, norm, low, sum_low) + store(row, norm, high, sum_high));
  //#else
  let values_low = store(tile, row, low, sum_low);
  let values_high = store(tile, row, high, sum_high);
  //#if MOMENTS
  let count = f32(clamp(params.columns - low.column.x, 0, COLUMNS));
  let mean = (fold(values_low) + fold(values_high)) / max(count, 1);
  let squares = squares_around(mean, low, values_low) + squares_around(mean, high, values_high);
  store_moments(tile, row, part, mean, fold(squares), count);
  //#endif
  //#endif
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(workgroup.x + workgroup.y * workgroups.x);
  if (tile.group >= params.groups) {
    return;
  }
  let row = tile.row * ROWS;
  let column = (tile.column * 8 + i32(lane)) * COLUMNS + vec4i(0, 1, 2, 3);
  let last_row = vec4i(params.rows - 1);
  let last_column = vec4i(params.columns - 1);
  let row_low = min(row + vec4i(0, 1, 2, 3), last_row);
  let rows_low = a_rows(row_low, tile.group);
  let factors_low = transpose(a_coefficients(row_low, tile.group));
  //#if EIGHT_ROWS
  let row_high = min(row + vec4i(4, 5, 6, 7), last_row);
  let rows_high = a_rows(row_high, tile.group);
  let factors_high = transpose(a_coefficients(row_high, tile.group));
  //#endif
  let columns_low = b_columns(min(column, last_column), tile.group);
  let columns_high = b_columns(min(column + 4, last_column), tile.group);

  var c0_low = vec4f();
  var c1_low = vec4f();
  var c2_low = vec4f();
  var c3_low = vec4f();
  var c0_high = vec4f();
  var c1_high = vec4f();
  var c2_high = vec4f();
  var c3_high = vec4f();
  //#if EIGHT_ROWS
  var c4_low = vec4f();
  var c5_low = vec4f();
  var c6_low = vec4f();
  var c7_low = vec4f();
  var c4_high = vec4f();
  var c5_high = vec4f();
  var c6_high = vec4f();
  var c7_high = vec4f();
  //#endif

  let first_segment = tile.split * params.segments_per_split;
  let end_segment = min(first_segment + params.segments_per_split, params.segments);
  var place = place_of(first_segment);
  for (var segment = first_segment; segment < end_segment; segment++) {
    let first = place.first;
    let outer = place.outer;
    place = next_place(place);
    let end = min(first + params.chunk, params.inner);
    let apart = a_apart(outer);
    let a_low = rows_low + a_outer(outer);
    //#if EIGHT_ROWS
    let a_high = rows_high + a_outer(outer);
    //#endif
    let b_low = b_walk(columns_low, outer);
    let b_high = b_walk(columns_high, outer);
    for (var k = first; k < end; k += 4) {
      // Column q of these matrices is B at inner index k + q, so that `low * vec4f` sums over four inner indices.
      let factors = four_factors(columns_low, k);
      let low = four_of_b(columns_low, b_low, k, factors);
      let high = four_of_b(columns_high, b_high, k, factors);
      let a0 = along_inner(a_low.x, apart, factors_low[0], k);
      c0_low += low * a0;
      c0_high += high * a0;
      let a1 = along_inner(a_low.y, apart, factors_low[1], k);
      c1_low += low * a1;
      c1_high += high * a1;
      let a2 = along_inner(a_low.z, apart, factors_low[2], k);
      c2_low += low * a2;
      c2_high += high * a2;
      let a3 = along_inner(a_low.w, apart, factors_low[3], k);
      c3_low += low * a3;
      c3_high += high * a3;
      //#if EIGHT_ROWS
      let a4 = along_inner(a_high.x, apart, factors_high[0], k);
      c4_low += low * a4;
      c4_high += high * a4;
      let a5 = along_inner(a_high.y, apart, factors_high[1], k);
      c5_low += low * a5;
      c5_high += high * a5;
      let a6 = along_inner(a_high.z, apart, factors_high[2], k);
      c6_low += low * a6;
      c6_high += high * a6;
      let a7 = along_inner(a_high.w, apart, factors_high[3], k);
      c7_low += low * a7;
      c7_high += high * a7;
      //#endif
    }
  }

  let part = tile.column * PARTS_PER_TILE + i32(lane);
  let out_low = out_columns(column, tile.group);
  let out_high = out_columns(column + 4, tile.group);
  finish_row(tile, part, row, out_low, out_high, c0_low, c0_high);
  finish_row(tile, part, row + 1, out_low, out_high, c1_low, c1_high);
  finish_row(tile, part, row + 2, out_low, out_high, c2_low, c2_high);
  finish_row(tile, part, row + 3, out_low, out_high, c3_low, c3_high);
  //#if EIGHT_ROWS
  finish_row(tile, part, row + 4, out_low, out_high, c4_low, c4_high);
  finish_row(tile, part, row + 5, out_low, out_high, c5_low, c5_high);
  finish_row(tile, part, row + 6, out_low, out_high, c6_low, c6_high);
  finish_row(tile, part, row + 7, out_low, out_high, c7_low, c7_high);
  //#endif
}
