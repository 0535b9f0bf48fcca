// GEMM for GPUs: a workgroup of 16 x 16 invocations makes a tile of C from tiles of A and B in workgroup memory. Each
// invocation makes one or two groups (TWO_ROW_GROUPS) of four rows (FOUR_ROWS) or three, times one or two groups of
// four columns (TWO_COLUMN_GROUPS): tiles of 48, 64, 96 or 128 rows x 64 or 128 columns.
//
// Vector i of a tile holds rows i, i + ROW_VECTORS, ... (columns i, i + COLUMN_VECTORS, ...): neighbouring invocations
// then read neighbouring elements, every write to workgroup memory is a whole vector, and stores to C are coalesced. An
// invocation loads at most one vector of A and one of B a tile, while the tile before is multiplied. A_ALONG_ROWS and
// B_ALONG_COLUMNS let neighbours run over rows or columns where these are the operand's shortest stride, else over
// inner indices.
//
// With FLAT the tiles run over outer and inner together, so that a short inner axis wastes nothing. With MASKED, B may
// be padded and the inner axis need not be a multiple of TILE_INNER.

// A tile's columns are a part of the rows' statistics.

//#include common

const PARTS_PER_TILE = 1;
const INVOCATIONS = 256;
//#if TWO_ROW_GROUPS
const ROW_VECTORS = 32;
//#else
const ROW_VECTORS = 16;
//#endif
//#if TWO_COLUMN_GROUPS
const COLUMN_VECTORS = 32;
//#else
const COLUMN_VECTORS = 16;
//#endif
//#if FOUR_ROWS
const ROW_STEPS = vec4i(0, 1, 2, 3);
const TILE_ROWS = 4 * ROW_VECTORS;
//#else
const ROW_STEPS = vec3i(0, 1, 2);
const TILE_ROWS = 3 * ROW_VECTORS;
//#endif
const TILE_COLUMNS = 4 * COLUMN_VECTORS;
const TILE_INNER = INVOCATIONS / max(ROW_VECTORS, COLUMN_VECTORS);
// One vector more per inner index keeps writes along the inner axis off the same memory bank.
const A_STRIDE = ROW_VECTORS + 1;
const B_STRIDE = COLUMN_VECTORS + 1;

// Also holds one vector of each invocation, for sums across them.
var<workgroup> a_tile: array<RowValues, max(TILE_INNER * A_STRIDE, INVOCATIONS)>;
var<workgroup> b_tile: array<vec4f, TILE_INNER * B_STRIDE>;

// C of a group of rows, one column of the matrix for each.
//#if FOUR_ROWS
alias Block = mat4x4f;
//#else
alias Block = mat3x4f;
//#endif

// What an invocation makes of a group of rows: its groups of columns.
struct Strip {
  low: Block,
  //#if TWO_COLUMN_GROUPS
  high: Block,
  //#endif
}

struct Outs {
  low: Out,
  //#if TWO_COLUMN_GROUPS
  high: Out,
  //#endif
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

fn a_element(rows: Rows, factors: RowFactors, outer: vec2i, k: i32) -> RowValues {
  //#if MASKED
  // B is zero beyond the inner axis.
  return load_a(rows + (a_outer(outer) + min(k, params.inner - 1) * params.a_inner), a_apart(outer), factors);
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

// Sums over the 16 invocations side by side, known to all of them; a group of rows at once. Every invocation must call it.
fn sum_across(value: RowValues, x: i32, y: i32) -> RowValues {
  let at = y * 16 + x;
  workgroupBarrier();
  a_tile[at] = value;
  workgroupBarrier();
  for (var width = 8; width > 0; width /= 2) {
    if (x < width) {
      a_tile[at] += a_tile[at + width];
    }
    workgroupBarrier();
  }
  return a_tile[y * 16];
}
//#endif
//#if NORM

// Adds up g xhat and g of a group of rows.
struct RowSums {
  products: RowValues,
  gradients: RowValues,
}

fn store_block(tile: Tile, rows: Rows, out: Out, c: Block, sums: RowSums) -> RowSums {
  var all = sums;
  for (var i = 0; i < ROWS_AT_ONCE; i++) {
    let row = store(tile, rows[i], out, c[i]);
    all.products[i] += row.x;
    all.gradients[i] += row.y;
  }
  return all;
}

// Writes a strip of C. Every invocation must call it.
fn finish(tile: Tile, x: i32, y: i32, rows: Rows, outs: Outs, c: Strip) {
  var sums = store_block(tile, rows, outs.low, c.low, RowSums());
  //#if TWO_COLUMN_GROUPS
  sums = store_block(tile, rows, outs.high, c.high, sums);
  //#endif
  let products = sum_across(sums.products, x, y);
  let gradients = sum_across(sums.gradients, x, y);
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
  var sums = RowValues();
  for (var i = 0; i < ROWS_AT_ONCE; i++) {
    sums[i] = fold(values[i]);
  }
  return sums;
}

fn block_around(mean: RowValues, out: Out, values: Block) -> Block {
  var squares = values;
  for (var i = 0; i < ROWS_AT_ONCE; i++) {
    squares[i] = squares_around(mean[i], out, values[i]);
  }
  return squares;
}
//#endif

// Writes a strip of C. Every invocation must call it.
fn finish(tile: Tile, x: i32, y: i32, rows: Rows, outs: Outs, c: Strip) {
  let low = store_block(tile, rows, outs.low, c.low);
  //#if TWO_COLUMN_GROUPS
  let high = store_block(tile, rows, outs.high, c.high);
  //#endif
  //#if MOMENTS
  let count = f32(min(params.columns - tile.column * TILE_COLUMNS, TILE_COLUMNS));
  //#if TWO_COLUMN_GROUPS
  let mean = sum_across(fold_block(low + high), x, y) / count;
  let around = block_around(mean, outs.low, low) + block_around(mean, outs.high, high);
  //#else
  let mean = sum_across(fold_block(low), x, y) / count;
  let around = block_around(mean, outs.low, low);
  //#endif
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
  let x = thread / 32 % 2 * 8 + thread % 8;
  let y = thread / 64 * 4 + thread / 8 % 4;
  let row = tile.row * TILE_ROWS + ROW_VECTORS * ROW_STEPS;
  let column = tile.column * TILE_COLUMNS + COLUMN_VECTORS * vec4i(0, 1, 2, 3);

  //#if A_ALONG_ROWS
  let a_vector = thread % ROW_VECTORS;
  let a_k = thread / ROW_VECTORS;
  //#else
  let a_vector = thread / TILE_INNER;
  let a_k = thread % TILE_INNER;
  //#endif
  //#if B_ALONG_COLUMNS
  let b_vector = thread % COLUMN_VECTORS;
  let b_k = thread / COLUMN_VECTORS;
  //#else
  let b_vector = thread / TILE_INNER;
  let b_k = thread % TILE_INNER;
  //#endif
  // The narrower of the two tiles leaves some invocations without a vector.
  let loads_a = a_vector < ROW_VECTORS && a_k < TILE_INNER;
  let loads_b = b_vector < COLUMN_VECTORS && b_k < TILE_INNER;
  let a_row = min(row + a_vector, Rows(params.rows - 1));
  let rows = a_rows(a_row, tile.group);
  let factors = a_coefficients(a_row, tile.group);
  let columns = b_columns(min(column + b_vector, vec4i(params.columns - 1)), tile.group);

  var c_low = Strip();
  //#if TWO_ROW_GROUPS
  var c_high = Strip();
  //#endif
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
      if (loads_b) {
        b_next = b_flat(columns, k + b_k);
      }
      //#else
      if (loads_a) {
        a_next = a_element(rows, factors, place.outer, k + a_k);
      }
      if (loads_b) {
        b_next = load_b(columns, walk, k + b_k, inner_factors(columns, k + b_k));
      }
      //#endif
    }
    if (ready) {
      for (var q = 0; q < TILE_INNER; q++) {
        let b_low = b_tile[q * B_STRIDE + x];
        let a_low = a_tile[q * A_STRIDE + y];
        c_low.low = with_product(c_low.low, a_low, b_low);
        //#if TWO_COLUMN_GROUPS
        let b_high = b_tile[q * B_STRIDE + x + 16];
        c_low.high = with_product(c_low.high, a_low, b_high);
        //#endif
        //#if TWO_ROW_GROUPS
        let a_high = a_tile[q * A_STRIDE + y + 16];
        c_high.low = with_product(c_high.low, a_high, b_low);
        //#if TWO_COLUMN_GROUPS
        c_high.high = with_product(c_high.high, a_high, b_high);
        //#endif
        //#endif
      }
    }
    if (!more) {
      break;
    }
    workgroupBarrier();
    if (loads_a) {
      a_tile[a_k * A_STRIDE + a_vector] = a_next;
    }
    if (loads_b) {
      b_tile[b_k * B_STRIDE + b_vector] = b_next;
    }
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

  //#if TWO_COLUMN_GROUPS
  let outs = Outs(
    out_columns(column + x, tile.group),
    out_columns(column + x + 16, tile.group),
  );
  //#else
  let outs = Outs(out_columns(column + x, tile.group));
  //#endif
  finish(tile, x, y, row + y, outs, c_low);
  //#if TWO_ROW_GROUPS
  finish(tile, x, y, row + y + 16, outs, c_high);
  //#endif
}
