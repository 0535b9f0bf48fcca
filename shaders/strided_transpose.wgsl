// b[position] = a[position] where a lies dense along one dimension, of `rows` positions, and b along another, of `columns`: both
// are read and written along the dimension in which they lie dense. Any further dimensions are walked by strides (see lib_strided),
// one plane [rows, columns] after another.
//
// With TILES a workgroup moves TILE x TILE elements through workgroup memory. Without, a thread moves BLOCK_ROWS x BLOCK_COLUMNS
// of them, which suits caches. Elements of TYPE_ are copied as they are, or converted where a and b are stored in different types.
//#include strided
struct Params {
  rows: u32, columns: u32, row_tiles: u32, column_tiles: u32, planes: u32,
  a_base: u32, b_base: u32, a_column: u32, b_row: u32,
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a_last: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b_last: u32,
}

@group(0) @binding(0) var<storage, read> a: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> b: array<TYPE_>;
@group(0) @binding(2) var<uniform> params: Params;

// Tile `index`: its first row and column, and where its plane begins in a and b.
struct Tile { row: u32, column: u32, at: vec2u }

fn tile_of(index: u32, tile_rows: u32, tile_columns: u32) -> Tile {
  let rest = index / params.column_tiles;
  let plane = rest / params.row_tiles;
  let row = rest - plane * params.row_tiles;
  return Tile(row * tile_rows, (index - rest * params.column_tiles) * tile_columns, positions(plane));
}
//#if TILES

const TILE = 32u;
// Rows of a tile that the workgroup moves at a time.
const STEP = 8u;
// A column more than needed, so that neither rows nor columns meet in one bank of memory.
var<workgroup> values: array<array<TYPE_, TILE + 1u>, TILE>;

@compute @workgroup_size(TILE, STEP)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = workgroup.x + workgroup.y * workgroups.x;
  if (index >= params.planes * params.row_tiles * params.column_tiles) {
    return;
  }
  let tile = tile_of(index, TILE, TILE);
  let row = tile.row + local.x;
  for (var i = local.y; i < TILE; i += STEP) {
    let column = tile.column + i;
    if (row < params.rows && column < params.columns) {
      values[i][local.x] = a[tile.at.x + column * params.a_column + row];
    }
  }
  workgroupBarrier();
  let column = tile.column + local.x;
  for (var i = local.y; i < TILE; i += STEP) {
    let row = tile.row + i;
    if (row < params.rows && column < params.columns) {
      b[tile.at.y + row * params.b_row + column] = values[local.x][i];
    }
  }
}
//#else

const BLOCK_ROWS = 16u;
const BLOCK_COLUMNS = 16u;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (index >= params.planes * params.row_tiles * params.column_tiles) {
    return;
  }
  let tile = tile_of(index, BLOCK_ROWS, BLOCK_COLUMNS);
  let rows = min(BLOCK_ROWS, params.rows - tile.row);
  let columns = min(BLOCK_COLUMNS, params.columns - tile.column);
  for (var row = tile.row; row < tile.row + rows; row++) {
    let read_at = tile.at.x + tile.column * params.a_column + row;
    let write_at = tile.at.y + row * params.b_row + tile.column;
    for (var i = 0u; i < columns; i++) {
      b[write_at + i] = a[read_at + i * params.a_column];
    }
  }
}
//#endif
