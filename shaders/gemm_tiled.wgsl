// GEMM for GPUs: a workgroup makes a tile of C from tiles of A and B in workgroup memory. Each invocation makes two groups of
// four rows (FOUR_ROWS) or three, times two groups of four columns: with 16 x 16 invocations a tile of 128 or 96 rows x
// 128 columns, with 8 rows of them (not SIXTEEN_HIGH) 64 or 48 x 128, with 8 x 8 (not SIXTEEN_WIDE) 64 or 48 x 64.
//
// Vector i of a tile holds rows i, i + ROW_VECTORS, ... (columns i, i + COLUMN_VECTORS, ..., with QUADS 4 i, 4 i + 1, ...):
// neighbouring invocations then read neighbouring elements, every write to workgroup memory is a whole vector, and stores
// to C are coalesced. An invocation loads at most one vector of A and one of B a tile, while the tile before is multiplied.
// A_ALONG_ROWS and B_ALONG_COLUMNS let neighbours run over rows or columns where these are the operand's shortest stride,
// else over inner indices.
//
// With FLAT the tiles run over outer and inner together, so that a short inner axis wastes nothing. With MASKED, B may
// be padded and the inner axis need not be a multiple of TILE_INNER.

// A tile's columns are a part of the rows' statistics.

//#include common

const PARTS_PER_TILE = 1;
//#if SIXTEEN_HIGH
const HEIGHT = 16;
//#else
const HEIGHT = 8;
//#endif
//#if SIXTEEN_WIDE
const WIDTH = 16;
//#else
const WIDTH = 8;
//#endif
const INVOCATIONS = HEIGHT * WIDTH;
const ROW_VECTORS = 2 * HEIGHT;
const COLUMN_VECTORS = 2 * WIDTH;
//#if FOUR_ROWS
const ROW_STEPS = vec4i(0, 1, 2, 3);
const TILE_ROWS = 4 * ROW_VECTORS;
//#else
const ROW_STEPS = vec3i(0, 1, 2);
const TILE_ROWS = 3 * ROW_VECTORS;
//#endif
const TILE_COLUMNS = 4 * COLUMN_VECTORS;
const TILE_INNER = HEIGHT / 2;
// A vector or two more per inner index keep eight writes along the inner axis off the same memory bank (tools/nvidia/banks.py).
const APART = 8 / TILE_INNER;
const A_STRIDE = ROW_VECTORS + APART;
const B_STRIDE = COLUMN_VECTORS + APART;

// The inner index first: addresses in an unrolled loop then differ by constants.
var<workgroup> a_tile: array<array<RowValues, A_STRIDE>, TILE_INNER>;
var<workgroup> b_tile: array<array<vec4f, B_STRIDE>, TILE_INNER>;

// C of a group of rows and one of columns; a column of the matrix for each row.
//#if FOUR_ROWS
alias Block = mat4x4f;
//#else
alias Block = mat3x4f;
//#endif

// What an invocation makes of a group of rows: its groups of columns.
struct Strip {
  low: Block,
  high: Block,
}

struct Strips {
  low: Strip,
  high: Strip,
}

struct Outs {
  low: Out,
  high: Out,
}

fn with_product(c: Block, a_values: RowValues, b_values: vec4f) -> Block {
  return Block(
    fma(vec4f(a_values.x), b_values, c[0]),
    fma(vec4f(a_values.y), b_values, c[1]),
    fma(vec4f(a_values.z), b_values, c[2]),
    //#if FOUR_ROWS
    fma(vec4f(a_values.w), b_values, c[3]),
    //#endif
  );
}

// With the products of inner index q of the tiles.
fn with_products(c: Strips, x: i32, y: i32, q: i32) -> Strips {
  let a_low = a_tile[q][y];
  let a_high = a_tile[q][y + HEIGHT];
  let b_low = b_tile[q][x];
  let b_high = b_tile[q][x + WIDTH];
  return Strips(
    Strip(with_product(c.low.low, a_low, b_low), with_product(c.low.high, a_low, b_high)),
    Strip(with_product(c.high.low, a_high, b_low), with_product(c.high.high, a_high, b_high)),
  );
}

// Numbers of the columns in vector i of the tile.
fn columns_of(tile: Tile, i: i32) -> vec4i {
  //#if QUADS
  return tile.column * TILE_COLUMNS + 4 * i + vec4i(0, 1, 2, 3);
  //#else
  return tile.column * TILE_COLUMNS + i + COLUMN_VECTORS * vec4i(0, 1, 2, 3);
  //#endif
}

fn a_element(rows: Rows, factors: RowFactors, outer: vec2i, k: i32) -> RowValues {
  //#if RAGGED
  // Beyond the inner axis both A and B are zero: an infinity times zero would be NaN.
  let values = load_a(rows + (a_outer(outer) + min(k, params.inner - 1) * params.a_inner), a_apart(outer), factors);
  return select(RowValues(), values, k < params.inner);
  //#else
  return load_a(rows + (a_outer(outer) + k * params.a_inner), a_apart(outer), factors);
  //#endif
}
//#if FLAT

// A and B at index k of outer and inner together. Past its end the outer index stays the last, and the inner one is out of
// every walk's range for B.
fn a_flat(rows: Rows, factors: RowFactors, k: i32) -> RowValues {
  let outer = min(k / params.inner, params.outer_major * params.outer_minor - 1);
  return a_element(rows, factors, outer_of(outer), k - outer * params.inner);
}

fn b_flat(columns: Columns, k: i32) -> vec4f {
  let outer = min(k / params.inner, params.outer_major * params.outer_minor - 1);
  let inner = k - outer * params.inner;
  return load_b(columns, b_walk(columns, outer_of(outer)), inner, inner_factors(columns, inner));
}
//#endif
//#if PARTIALS

var<workgroup> to_add: array<array<RowValues, WIDTH>, HEIGHT>;

// Sums over the invocations side by side, known to all of them; a group of rows at once. Every invocation must call it.
fn sum_across(value: RowValues, x: i32, y: i32) -> RowValues {
  workgroupBarrier();
  to_add[y][x] = value;
  workgroupBarrier();
  for (var width = WIDTH / 2; width > 0; width /= 2) {
    if (x < width) {
      to_add[y][x] += to_add[y][x + width];
    }
    workgroupBarrier();
  }
  return to_add[y][0];
}
//#endif
//#if NORM

// Writes a row of a strip; gives the sums of g xhat and of g over it.
fn finish_row(tile: Tile, row: i32, outs: Outs, low: vec4f, high: vec4f) -> vec2f {
  let norm = norm_of(tile, row);
  return store(row, norm, outs.low, low) + store(row, norm, outs.high, high);
}

// Writes a strip of C. Every invocation must call it. Rows are written out: arrays that a loop indexes leave the registers.
fn finish(tile: Tile, x: i32, y: i32, rows: Rows, outs: Outs, c: Strip) {
  let sums_0 = finish_row(tile, rows.x, outs, c.low[0], c.high[0]);
  let sums_1 = finish_row(tile, rows.y, outs, c.low[1], c.high[1]);
  let sums_2 = finish_row(tile, rows.z, outs, c.low[2], c.high[2]);
  //#if FOUR_ROWS
  let sums_3 = finish_row(tile, rows.w, outs, c.low[3], c.high[3]);
  let products = sum_across(vec4f(sums_0.x, sums_1.x, sums_2.x, sums_3.x), x, y);
  let gradients = sum_across(vec4f(sums_0.y, sums_1.y, sums_2.y, sums_3.y), x, y);
  //#else
  let products = sum_across(vec3f(sums_0.x, sums_1.x, sums_2.x), x, y);
  let gradients = sum_across(vec3f(sums_0.y, sums_1.y, sums_2.y), x, y);
  //#endif
  if (x == 0) {
    for (var i = 0; i < ROWS_AT_ONCE; i++) {
      store_sums(tile, rows[i], tile.column, vec2f(products[i], gradients[i]));
    }
  }
}
//#else

// Gives what was written, 0 beyond the edge.
fn store_block(tile: Tile, rows: Rows, out: Out, c: Block) -> Block {
  return Block(
    store(tile, rows.x, out, c[0]),
    store(tile, rows.y, out, c[1]),
    store(tile, rows.z, out, c[2]),
    //#if FOUR_ROWS
    store(tile, rows.w, out, c[3]),
    //#endif
  );
}
//#if MOMENTS

fn fold_block(values: Block) -> RowValues {
  return RowValues(
    fold(values[0]),
    fold(values[1]),
    fold(values[2]),
    //#if FOUR_ROWS
    fold(values[3]),
    //#endif
  );
}

fn block_around(mean: RowValues, out: Out, values: Block) -> Block {
  return Block(
    squares_around(mean.x, out, values[0]),
    squares_around(mean.y, out, values[1]),
    squares_around(mean.z, out, values[2]),
    //#if FOUR_ROWS
    squares_around(mean.w, out, values[3]),
    //#endif
  );
}
//#endif

// Writes a strip of C. Every invocation must call it.
fn finish(tile: Tile, x: i32, y: i32, rows: Rows, outs: Outs, c: Strip) {
  let low = store_block(tile, rows, outs.low, c.low);
  let high = store_block(tile, rows, outs.high, c.high);
  //#if MOMENTS
  let count = f32(min(params.columns - tile.column * TILE_COLUMNS, TILE_COLUMNS));
  let mean = sum_across(fold_block(low + high), x, y) / count;
  let around = block_around(mean, outs.low, low) + block_around(mean, outs.high, high);
  let squares = sum_across(fold_block(around), x, y);
  if (x == 0) {
    for (var i = 0; i < ROWS_AT_ONCE; i++) {
      store_moments(tile, rows[i], tile.column, mean[i], squares[i], count);
    }
  }
  //#endif
}
//#endif

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
) {
  let tile = tile_of(workgroup.x + workgroup.y * workgroups.x);
  if (tile.group >= params.groups) {
    return;
  }
  let thread = i32(invocation);
  // 32 neighbours are 8 side by side and 4 below each other: of all shapes that reads the fewest vectors of a tile.
  let x = thread / 32 % (WIDTH / 8) * 8 + thread % 8;
  let y = thread / (4 * WIDTH) * 4 + thread / 8 % 4;
  let row = tile.row * TILE_ROWS + ROW_VECTORS * ROW_STEPS;

  //#if A_ALONG_ROWS
  let a_vector = thread % ROW_VECTORS;
  let a_k = thread / ROW_VECTORS;
  let loads_a = a_k < TILE_INNER;
  //#else
  let a_vector = thread / TILE_INNER;
  let a_k = thread % TILE_INNER;
  let loads_a = a_vector < ROW_VECTORS;
  //#endif
  //#if B_ALONG_COLUMNS
  let b_vector = thread % COLUMN_VECTORS;
  let b_k = thread / COLUMN_VECTORS;
  //#else
  let b_vector = thread / TILE_INNER;
  let b_k = thread % TILE_INNER;
  //#endif
  let a_row = min(row + a_vector, Rows(params.rows - 1));
  let rows = a_rows(a_row, tile.group);
  let factors = a_coefficients(a_row, tile.group);
  let columns = b_columns(min(columns_of(tile, b_vector), vec4i(params.columns - 1)), tile.group);

  var c = Strips();
  var a_next = RowValues();
  var b_next = vec4f();

  let first_segment = tile.split * params.segments_per_split;
  let end_segment = min(first_segment + params.segments_per_split, params.segments);
  //#if FLAT
  let end = min(end_segment * params.chunk, params.outer_major * params.outer_minor * params.inner);
  var k = first_segment * params.chunk;
  var more = k < end;
  //#else
  var segment = first_segment;
  var place = place_of(segment);
  var k = place.first;
  var walk = b_walk(columns, place.outer);
  var more = segment < end_segment;
  //#endif
  var ready = false;
  loop {
    if (more) {
      //#if FLAT
      if (loads_a) {
        a_next = a_flat(rows, factors, k + a_k);
      }
      b_next = b_flat(columns, k + b_k);
      //#else
      if (loads_a) {
        a_next = a_element(rows, factors, place.outer, k + a_k);
      }
      b_next = load_b(columns, walk, k + b_k, inner_factors(columns, k + b_k));
      //#endif
    }
    if (ready) {
      //#if LARGE
      // Unrolled, this takes more registers than two workgroups a multiprocessor leave.
      for (var q = 0; q < TILE_INNER; q++) {
        c = with_products(c, x, y, q);
      }
      //#else
      c = with_products(c, x, y, 0);
      c = with_products(c, x, y, 1);
      c = with_products(c, x, y, 2);
      c = with_products(c, x, y, 3);
      //#if SIXTEEN_HIGH
      c = with_products(c, x, y, 4);
      c = with_products(c, x, y, 5);
      c = with_products(c, x, y, 6);
      c = with_products(c, x, y, 7);
      //#endif
      //#endif
    }
    if (!more) {
      break;
    }
    // A second pair of tiles would save this barrier and cost more in addresses.
    workgroupBarrier();
    if (loads_a) {
      a_tile[a_k][a_vector] = a_next;
    }
    b_tile[b_k][b_vector] = b_next;
    workgroupBarrier();
    ready = true;
    k += TILE_INNER;
    //#if FLAT
    more = k < end;
    //#else
    if (k >= min(place.first + params.chunk, params.inner)) {
      segment++;
      place = next_place(place);
      k = place.first;
      walk = b_walk(columns, place.outer);
      more = segment < end_segment;
    }
    //#endif
  }

  let outs = Outs(
    out_columns(columns_of(tile, x), tile.group),
    out_columns(columns_of(tile, x + WIDTH), tile.group),
  );
  finish(tile, x, y, row + y, outs, c.low);
  finish(tile, x, y, row + y + HEIGHT, outs, c.high);
}
