  // Fields of Params that lib_winograd_patch needs.
  b_image: i32,
  b_first: i32,
  tiles_x: i32,
  tiles_of_image: i32,
  b_height: i32,
  b_width: i32,
  pad_y: i32,
  pad_x: i32,
  //#if B_GRADIENT
  b_apart_image: i32,
  b_apart_first: i32,
  //#endif
  //#if TABLE
  b_table_channels: i32,
  b_table_first: i32,
  //#endif
