// GEMM for software adapters, in registers alone: workgroup memory and barriers are slow there, vectors of
// invocations fast. Each invocation makes 8 rows x 8 columns of C (4 x 8 without EIGHT_ROWS), four inner indices at a
// time; a workgroup is 8 invocations side by side, 8 x 64. Its rows of A are the same for all of them, hence cheap.
// With MASKED, B may be padded and the inner axis need not be a multiple of 4.

//#include common

const COLUMNS = 8;
//#if EIGHT_ROWS
const ROWS = 8;
//#else
const ROWS = 4;
//#endif

// A of one row at inner indices k, k + 1, k + 2, k + 3; B is zero where these leave the inner axis.
fn along_inner(row_start: i32, k: i32) -> vec4f {
  //#if MASKED
  return load_a(row_start + min(k + vec4i(0, 1, 2, 3), vec4i(params.inner - 1)) * params.a_inner);
  //#else
  return load_a(row_start + (k + vec4i(0, 1, 2, 3)) * params.a_inner);
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
  let rows_low = a_rows(min(row + vec4i(0, 1, 2, 3), last_row), tile.group);
  //#if EIGHT_ROWS
  let rows_high = a_rows(min(row + vec4i(4, 5, 6, 7), last_row), tile.group);
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
    let a_low = rows_low + a_outer(outer);
    //#if EIGHT_ROWS
    let a_high = rows_high + a_outer(outer);
    //#endif
    let b_low = b_walk(columns_low, outer);
    let b_high = b_walk(columns_high, outer);
    for (var k = first; k < end; k += 4) {
      // Column q of these matrices is B at inner index k + q, so that `low * vec4f` sums over four inner indices.
      let low = mat4x4f(load_b(b_low, k), load_b(b_low, k + 1), load_b(b_low, k + 2), load_b(b_low, k + 3));
      let high = mat4x4f(load_b(b_high, k), load_b(b_high, k + 1), load_b(b_high, k + 2), load_b(b_high, k + 3));
      let a0 = along_inner(a_low.x, k);
      c0_low += low * a0;
      c0_high += high * a0;
      let a1 = along_inner(a_low.y, k);
      c1_low += low * a1;
      c1_high += high * a1;
      let a2 = along_inner(a_low.z, k);
      c2_low += low * a2;
      c2_high += high * a2;
      let a3 = along_inner(a_low.w, k);
      c3_low += low * a3;
      c3_high += high * a3;
      //#if EIGHT_ROWS
      let a4 = along_inner(a_high.x, k);
      c4_low += low * a4;
      c4_high += high * a4;
      let a5 = along_inner(a_high.y, k);
      c5_low += low * a5;
      c5_high += high * a5;
      let a6 = along_inner(a_high.z, k);
      c6_low += low * a6;
      c6_high += high * a6;
      let a7 = along_inner(a_high.w, k);
      c7_low += low * a7;
      c7_high += high * a7;
      //#endif
    }
  }

  let start_low = c_columns(min(column, last_column), tile.group);
  let start_high = c_columns(min(column + 4, last_column), tile.group);
  store(tile, row, column, start_low, c0_low);
  store(tile, row + 1, column, start_low, c1_low);
  store(tile, row + 2, column, start_low, c2_low);
  store(tile, row + 3, column, start_low, c3_low);
  store(tile, row, column + 4, start_high, c0_high);
  store(tile, row + 1, column + 4, start_high, c1_high);
  store(tile, row + 2, column + 4, start_high, c2_high);
  store(tile, row + 3, column + 4, start_high, c3_high);
  //#if EIGHT_ROWS
  store(tile, row + 4, column, start_low, c4_low);
  store(tile, row + 5, column, start_low, c5_low);
  store(tile, row + 6, column, start_low, c6_low);
  store(tile, row + 7, column, start_low, c7_low);
  store(tile, row + 4, column + 4, start_high, c4_high);
  store(tile, row + 5, column + 4, start_high, c5_high);
  store(tile, row + 6, column + 4, start_high, c6_high);
  store(tile, row + 7, column + 4, start_high, c7_high);
  //#endif
}
