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

//#include relu

const PARTS_PER_TILE = 8;
const ROWS = 16;

struct Params {
  inner: i32,
  tiles: i32,
  row_tiles: i32,
  //#include patch_fields
  //#include place_fields
}

@group(0) @binding(0) var<storage, read> u: array<vec4f>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

//#include patch
//#include place
//#include store

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
  //#if NORM
  store_sums(tile, row, part, store(row, norm_of(tile, row), out, outputs));
  //#else
  let values = store(tile, row, out, outputs);
  //#if MOMENTS
  let count = dot(select(vec4f(), vec4f(1), out.column < vec4i(params.columns)), vec4f(1));
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
