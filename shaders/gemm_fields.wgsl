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
  //#if A_GRADIENT
  // a_x lies image * a_apart_image + a_apart_first elements behind a; its table [3][a_table_channels].
  a_apart_image: i32,
  a_apart_first: i32,
  a_table_channels: i32,
  a_table_first: i32,
  //#endif
  //#if B_GRADIENT
  b_apart_image: i32,
  b_apart_first: i32,
  b_table_channels: i32,
  b_table_first: i32,
  //#endif
  //#if B_ACTIVATION
  b_table_channels: i32,
  b_table_first: i32,
  //#endif
  //#if NORM
  // c_x lies image * c_apart_image + c_apart_first elements behind c; its table [5][c_table_channels].
  c_apart_image: i32,
  c_apart_first: i32,
  c_table_channels: i32,
  c_table_first: i32,
  //#endif
