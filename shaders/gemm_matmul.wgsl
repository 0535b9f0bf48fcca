// GEMM loader for matmul: C[g] = A[g] B[g] with affine rows, columns and inner axis (a transposed operand is a pair of
// exchanged strides). The group g counts up to four leading dimensions, sizes batch_0 (slowest) to batch_3; a stride of 0
// broadcasts an operand over a dimension. There is one outer index.

struct Params {
  //#include fields
  a_row: i32,
  b_column: i32,
  c_group: i32,
  batch_1: i32,
  batch_2: i32,
  batch_3: i32,
  a_batch_0: i32,
  a_batch_1: i32,
  a_batch_2: i32,
  a_batch_3: i32,
  b_batch_0: i32,
  b_batch_1: i32,
  b_batch_2: i32,
  b_batch_3: i32,
}

struct Columns {
  start: vec4i,
}

// Index of the group in each of the four leading dimensions.
fn batch_of(group: i32) -> vec4i {
  let of_2 = group / params.batch_3;
  let of_1 = of_2 / params.batch_2;
  let of_0 = of_1 / params.batch_1;
  return vec4i(of_0, of_1 - of_0 * params.batch_1, of_2 - of_1 * params.batch_2, group - of_2 * params.batch_3);
}

fn a_rows(row: Rows, group: i32) -> Rows {
  let strides = vec4i(params.a_batch_0, params.a_batch_1, params.a_batch_2, params.a_batch_3);
  return row * params.a_row + dot(batch_of(group), strides);
}

fn a_outer(outer: vec2i) -> i32 {
  return 0;
}

fn b_columns(column: vec4i, group: i32) -> Columns {
  let strides = vec4i(params.b_batch_0, params.b_batch_1, params.b_batch_2, params.b_batch_3);
  return Columns(column * params.b_column + dot(batch_of(group), strides));
}

fn b_walk(columns: Columns, outer: vec2i) -> Walk {
  return Walk(columns.start, vec4i(0), vec4i(params.inner));
}

fn c_columns(column: vec4i, group: i32) -> vec4i {
  return column + group * params.c_group;
}
