  // Fields of Params that lib_winograd_place and gemm_store need.
  groups: i32,
  rows: i32,
  // Columns of C, and parts of a row's statistics.
  columns: i32,
  column_tiles: i32,
  c_row: i32,
  c_length: i32,
  c_image: i32,
  c_first: i32,
  c_height: i32,
  c_width: i32,
  //#if BIAS
  bias_group: i32,
  bias_row: i32,
  bias_column: i32,
  //#endif
  //#if NORM
  // c_x lies image * c_apart_image + c_apart_first elements behind c; its table [5][c_table_channels].
  c_apart_image: i32,
  c_apart_first: i32,
  c_table_channels: i32,
  c_table_first: i32,
  //#endif
