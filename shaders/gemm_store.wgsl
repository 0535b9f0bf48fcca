// How elements of C are stored:
//   c = sum + bias                       always, unless NORM
//   MOMENTS   also per row, of each part of the columns: mean, sum of squares around it, number of elements
//   NORM      C is the gradient of a norm's output (of its ReLU with NORM_RELU): g = sum where scale x + shift > 0 or NaN, else 0;
//             c = weight g, with ACCUMULATE c += weight g; and per row and part the sums of g xhat and of g
//
// Bindings: bias; c_x: the norm's input, laid out like c but for images' distance and first channel; c_table: scale, shift, mean,
// invstd, weight [5][c_table_channels]; partials [3 or 2][parts][groups * rows].
//#if BIAS

@group(0) @binding(BIAS_BINDING_) var<storage, read> bias: array<f32>;
//#endif
//#if PARTIALS

@group(0) @binding(PARTIALS_BINDING_) var<storage, read_write> partials: array<f32>;

// Index in partials of the first kind; the next kind is `partials_kind()` further.
fn partial_of(tile: Tile, row: i32, part: i32) -> i32 {
  return (part * params.groups + tile.group) * params.rows + row;
}

fn partials_kind() -> i32 {
  return params.column_tiles * PARTS_PER_TILE * params.groups * params.rows;
}
//#endif
//#if NORM

@group(0) @binding(C_X_BINDING_) var<storage, read> c_x: array<CElements>;
@group(0) @binding(C_TABLE_BINDING_) var<storage, read> c_table: array<f32>;
//#endif

// Four columns of C: their numbers, and the index of row 0 in c (and c_x) for each.
struct Out {
  column: vec4i,
  start: vec4i,
  //#if NORM
  x: vec4i,
  //#endif
}

fn put(at: vec4i, inside: vec4<bool>, values: vec4f) {
  //#if QUADS
  if (inside.x) {
    c[quad_of(at)] = CElements(values);
  }
  //#else
  if (inside.x) {
    c[at.x] = CElements(values.x);
  }
  if (inside.y) {
    c[at.y] = CElements(values.y);
  }
  if (inside.z) {
    c[at.z] = CElements(values.z);
  }
  if (inside.w) {
    c[at.w] = CElements(values.w);
  }
  //#endif
}
//#if NORM
//#if ACCUMULATE

fn in_c(at: vec4i) -> vec4f {
  //#if QUADS
  return vec4f(c[quad_of(at)]);
  //#else
  return vec4f(vec4<C_ELEMENT_>(c[at.x], c[at.y], c[at.z], c[at.w]));
  //#endif
}
//#endif

fn in_c_x(at: vec4i) -> vec4f {
  //#if QUADS
  return vec4f(c_x[quad_of(at)]);
  //#else
  return vec4f(vec4<C_ELEMENT_>(c_x[at.x], c_x[at.y], c_x[at.z], c_x[at.w]));
  //#endif
}

// c_table's column of a row.
struct NormRow {
  scale: f32,
  shift: f32,
  mean: f32,
  invstd: f32,
  weight: f32,
}

fn norm_of(tile: Tile, row: i32) -> NormRow {
  let at = params.c_table_first + tile.group * params.rows + min(row, params.rows - 1);
  let channels = params.c_table_channels;
  return NormRow(
    c_table[at],
    c_table[at + channels],
    c_table[at + 2 * channels],
    c_table[at + 3 * channels],
    c_table[at + 4 * channels],
  );
}

// Writes four columns of one row; gives the sums of g xhat and of g over them.
fn store(row: i32, norm: NormRow, out: Out, sum: vec4f) -> vec2f {
  if (row >= params.rows) {
    return vec2f();
  }
  let index = out.start + row * params.c_row;
  let x = in_c_x(out.x + row * params.c_row);
  let inside = out.column < vec4i(params.columns);
  //#if NORM_RELU
  // The same fma as in the activation's load, so that both agree on what is zero.
  let g = select(vec4f(0), relu_gradient(sum, fma(vec4f(norm.scale), x, vec4f(norm.shift))), inside);
  //#else
  let g = select(vec4f(0), sum, inside);
  //#endif
  //#if ACCUMULATE
  put(index, inside, in_c(index) + norm.weight * g);
  //#else
  put(index, inside, norm.weight * g);
  //#endif
  return vec2f(fold(g * (x - norm.mean)) * norm.invstd, fold(g));
}

fn store_sums(tile: Tile, row: i32, part: i32, sums: vec2f) {
  if (row < params.rows) {
    let at = partial_of(tile, row, part);
    partials[at] = sums.x;
    partials[at + partials_kind()] = sums.y;
  }
}
//#else

// Writes four columns of one row; gives what was written, 0 beyond the edge.
fn store(tile: Tile, row: i32, out: Out, sum: vec4f) -> vec4f {
  if (row >= params.rows) {
    return vec4f();
  }
  let inside = out.column < vec4i(params.columns);
  //#if BIAS
  let column = min(out.column, vec4i(params.columns - 1));
  let at = tile.group * params.bias_group + row * params.bias_row + column * params.bias_column;
  let added = select(vec4f(0), vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]), tile.split == 0);
  let values = select(vec4f(0), sum + added, inside);
  //#else
  let values = select(vec4f(0), sum, inside);
  //#endif
  put(out.start + (row * params.c_row + tile.split * params.c_length), inside, values);
  return values;
}
//#if MOMENTS

// Squared distances from `mean`, 0 beyond the edge.
fn squares_around(mean: f32, out: Out, values: vec4f) -> vec4f {
  let centered = select(vec4f(0), values - mean, out.column < vec4i(params.columns));
  return centered * centered;
}

fn store_moments(tile: Tile, row: i32, part: i32, mean: f32, squares: f32, count: f32) {
  if (row < params.rows) {
    let at = partial_of(tile, row, part);
    partials[at] = mean;
    partials[at + partials_kind()] = squares;
    partials[at + 2 * partials_kind()] = count;
  }
}
//#endif
//#endif

fn fold(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
