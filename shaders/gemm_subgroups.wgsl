// GEMM for software adapters that run 8 invocations in step, as the lanes of one subgroup. There a lane's own address costs a gather,
// about as much as nine vectors of products, so that elements are loaded once for as many products as can be: each invocation makes
// 48 rows x 4 columns of C (24 or 16 rows without FORTY_EIGHT), four inner indices at a time; a workgroup is one subgroup side by
// side, 48 x 32. An element of A is loaded by one lane and broadcast. With MASKED, B may be padded and the inner axis need not be a
// multiple of 4. An invocation's columns are a part of the row's statistics.

//#include common

const PARTS_PER_TILE = 8;
const COLUMNS = 4;
//#if FORTY_EIGHT
const ROWS = 48;
//#else
//#if TWENTY_FOUR
const ROWS = 24;
//#else
const ROWS = 16;
//#endif
//#endif

//#include four

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
  //#if RAGGED
  let at = rows.start + outer + min(inner, params.inner - 1) * params.a_inner;
  return select(vec4f(0), load_a(at, apart, rows.factors), inner < params.inner);
  //#else
  return load_a(rows.start + outer + inner * params.a_inner, apart, rows.factors);
  //#endif
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
  //#if TWENTY_FOUR
  let rows_2 = lane_rows(row + 16, lane, tile.group);
  //#if FORTY_EIGHT
  let rows_3 = lane_rows(row + 24, lane, tile.group);
  let rows_4 = lane_rows(row + 32, lane, tile.group);
  let rows_5 = lane_rows(row + 40, lane, tile.group);
  //#endif
  //#endif

  var c0 = mat4x4f();
  var c1 = mat4x4f();
  var c2 = mat4x4f();
  var c3 = mat4x4f();
  //#if TWENTY_FOUR
  var c4 = mat4x4f();
  var c5 = mat4x4f();
  //#if FORTY_EIGHT
  var c6 = mat4x4f();
  var c7 = mat4x4f();
  var c8 = mat4x4f();
  var c9 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  //#endif
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
      //#if TWENTY_FOUR
      let a2 = lane_a(rows_2, a_start, apart, inner);
      c4 += b_four * first_rows(a2);
      c5 += b_four * last_rows(a2);
      //#if FORTY_EIGHT
      let a3 = lane_a(rows_3, a_start, apart, inner);
      c6 += b_four * first_rows(a3);
      c7 += b_four * last_rows(a3);
      let a4 = lane_a(rows_4, a_start, apart, inner);
      c8 += b_four * first_rows(a4);
      c9 += b_four * last_rows(a4);
      let a5 = lane_a(rows_5, a_start, apart, inner);
      c10 += b_four * first_rows(a5);
      c11 += b_four * last_rows(a5);
      //#endif
      //#endif
    }
  }

  let part = tile.column * PARTS_PER_TILE + lane;
  let out = out_columns(column, tile.group);
  finish_rows(tile, part, row, out, c0);
  finish_rows(tile, part, row + 4, out, c1);
  finish_rows(tile, part, row + 8, out, c2);
  finish_rows(tile, part, row + 12, out, c3);
  //#if TWENTY_FOUR
  finish_rows(tile, part, row + 16, out, c4);
  finish_rows(tile, part, row + 20, out, c5);
  //#if FORTY_EIGHT
  finish_rows(tile, part, row + 24, out, c6);
  finish_rows(tile, part, row + 28, out, c7);
  finish_rows(tile, part, row + 32, out, c8);
  finish_rows(tile, part, row + 36, out, c9);
  finish_rows(tile, part, row + 40, out, c10);
  finish_rows(tile, part, row + 44, out, c11);
  //#endif
  //#endif
}
