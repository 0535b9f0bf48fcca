// GEMM for software adapters, in registers alone, like gemm_registers but in another shape: each invocation makes 16 rows x
// 4 columns of C, a workgroup of 8 side by side 16 x 32. B is then loaded half as often, which pays where its elements
// are computed in the load; A, the same for all invocations, twice as often. With MASKED, B may be padded and the inner axis
// need not be a multiple of 4. An invocation's columns are a part of the row's statistics.

//#include common

const PARTS_PER_TILE = 8;
const COLUMNS = 4;
const ROWS = 16;

//#include four

// Writes four columns of one row.
fn finish_row(tile: Tile, part: i32, row: i32, out: Out, sum: vec4f) {
  //#if NORM
  store_sums(tile, row, part, store(row, norm_of(tile, row), out, sum));
  //#else
  let values = store(tile, row, out, sum);
  //#if MOMENTS
  let count = f32(clamp(params.columns - out.column.x, 0, COLUMNS));
  let mean = fold(values) / max(count, 1);
  store_moments(tile, row, part, mean, fold(squares_around(mean, out, values)), count);
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
  let columns = b_columns(min(column, vec4i(params.columns - 1)), tile.group);
  let row_0 = min(row + vec4i(0, 1, 2, 3), last_row);
  let rows_0 = a_rows(row_0, tile.group);
  let factors_0 = transpose(a_coefficients(row_0, tile.group));
  let row_1 = min(row + vec4i(4, 5, 6, 7), last_row);
  let rows_1 = a_rows(row_1, tile.group);
  let factors_1 = transpose(a_coefficients(row_1, tile.group));
  let row_2 = min(row + vec4i(8, 9, 10, 11), last_row);
  let rows_2 = a_rows(row_2, tile.group);
  let factors_2 = transpose(a_coefficients(row_2, tile.group));
  let row_3 = min(row + vec4i(12, 13, 14, 15), last_row);
  let rows_3 = a_rows(row_3, tile.group);
  let factors_3 = transpose(a_coefficients(row_3, tile.group));

  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  var c4 = vec4f();
  var c5 = vec4f();
  var c6 = vec4f();
  var c7 = vec4f();
  var c8 = vec4f();
  var c9 = vec4f();
  var c10 = vec4f();
  var c11 = vec4f();
  var c12 = vec4f();
  var c13 = vec4f();
  var c14 = vec4f();
  var c15 = vec4f();

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
    let a_0 = rows_0 + a_start;
    let a_1 = rows_1 + a_start;
    let a_2 = rows_2 + a_start;
    let a_3 = rows_3 + a_start;
    let walk = b_walk(columns, outer);
    for (var k = first; k < end; k += 4) {
      // Column q is B at inner index k + q, so that `b_four * vec4f` sums over four inner indices.
      let b_four = four_of_b(columns, walk, k, four_factors(columns, k));
      c0 += b_four * along_inner(a_0.x, apart, factors_0[0], k);
      c1 += b_four * along_inner(a_0.y, apart, factors_0[1], k);
      c2 += b_four * along_inner(a_0.z, apart, factors_0[2], k);
      c3 += b_four * along_inner(a_0.w, apart, factors_0[3], k);
      c4 += b_four * along_inner(a_1.x, apart, factors_1[0], k);
      c5 += b_four * along_inner(a_1.y, apart, factors_1[1], k);
      c6 += b_four * along_inner(a_1.z, apart, factors_1[2], k);
      c7 += b_four * along_inner(a_1.w, apart, factors_1[3], k);
      c8 += b_four * along_inner(a_2.x, apart, factors_2[0], k);
      c9 += b_four * along_inner(a_2.y, apart, factors_2[1], k);
      c10 += b_four * along_inner(a_2.z, apart, factors_2[2], k);
      c11 += b_four * along_inner(a_2.w, apart, factors_2[3], k);
      c12 += b_four * along_inner(a_3.x, apart, factors_3[0], k);
      c13 += b_four * along_inner(a_3.y, apart, factors_3[1], k);
      c14 += b_four * along_inner(a_3.z, apart, factors_3[2], k);
      c15 += b_four * along_inner(a_3.w, apart, factors_3[3], k);
    }
  }

  let part = tile.column * PARTS_PER_TILE + i32(lane);
  let out = out_columns(column, tile.group);
  finish_row(tile, part, row, out, c0);
  finish_row(tile, part, row + 1, out, c1);
  finish_row(tile, part, row + 2, out, c2);
  finish_row(tile, part, row + 3, out, c3);
  finish_row(tile, part, row + 4, out, c4);
  finish_row(tile, part, row + 5, out, c5);
  finish_row(tile, part, row + 6, out, c6);
  finish_row(tile, part, row + 7, out, c7);
  finish_row(tile, part, row + 8, out, c8);
  finish_row(tile, part, row + 9, out, c9);
  finish_row(tile, part, row + 10, out, c10);
  finish_row(tile, part, row + 11, out, c11);
  finish_row(tile, part, row + 12, out, c12);
  finish_row(tile, part, row + 13, out, c13);
  finish_row(tile, part, row + 14, out, c14);
  finish_row(tile, part, row + 15, out, c15);
}
