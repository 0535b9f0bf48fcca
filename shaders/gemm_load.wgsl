// How elements of A and B are loaded: as they are in memory or, with
//   A_GRADIENT, B_GRADIENT   p g + q x + s, batch norm's gradient from g (bound as a or b) and the norm's input x
//   B_ACTIVATION             scale x + shift, batch norm; with B_RELU max(0, that)
// The factors belong to the channel: A's row; B's inner index with B_INNER, else B's column. Padding is zero all the same.
//
// Bindings: a_x, b_x: the norm's input, laid out like a or b but for images' distance and first channel;
// a_table, b_table: p, q, s or scale, shift, [row][table_channels], the first channel in column table_first.

fn in_a(at: Rows) -> RowValues {
  //#if FOUR_ROWS
  return vec4f(vec4<A_ELEMENT_>(a[at.x], a[at.y], a[at.z], a[at.w]));
  //#else
  return vec3f(vec3<A_ELEMENT_>(a[at.x], a[at.y], a[at.z]));
  //#endif
}
//#if A_GRADIENT

@group(0) @binding(A_X_BINDING_) var<storage, read> a_x: array<A_ELEMENT_>;
@group(0) @binding(A_TABLE_BINDING_) var<storage, read> a_table: array<f32>;

fn in_a_x(at: Rows) -> RowValues {
  //#if FOUR_ROWS
  return vec4f(vec4<A_ELEMENT_>(a_x[at.x], a_x[at.y], a_x[at.z], a_x[at.w]));
  //#else
  return vec3f(vec3<A_ELEMENT_>(a_x[at.x], a_x[at.y], a_x[at.z]));
  //#endif
}

fn in_a_table(at: Rows) -> RowValues {
  //#if FOUR_ROWS
  return vec4f(a_table[at.x], a_table[at.y], a_table[at.z], a_table[at.w]);
  //#else
  return vec3f(a_table[at.x], a_table[at.y], a_table[at.z]);
  //#endif
}

// p, q and s of rows.
fn a_coefficients(row: Rows, group: i32) -> RowFactors {
  let p = group * params.rows + row + params.a_table_first;
  let q = p + params.a_table_channels;
  let s = q + params.a_table_channels;
  return RowFactors(in_a_table(p), in_a_table(q), in_a_table(s));
}

fn load_a(at: Rows, apart: i32, factors: RowFactors) -> RowValues {
  return fma(factors[0], in_a(at), fma(factors[1], in_a_x(at + apart), factors[2]));
}
//#else

fn a_coefficients(row: Rows, group: i32) -> RowFactors {
  return RowFactors();
}

fn a_apart(outer: vec2i) -> i32 {
  return 0;
}

fn load_a(at: Rows, apart: i32, factors: RowFactors) -> RowValues {
  return in_a(at);
}
//#endif

fn in_b(at: vec4i) -> vec4f {
  //#if QUADS
  return vec4f(b[quad_of(at)]);
  //#else
  return vec4f(vec4<B_ELEMENT_>(b[at.x], b[at.y], b[at.z], b[at.w]));
  //#endif
}
//#if B_GRADIENT

@group(0) @binding(B_X_BINDING_) var<storage, read> b_x: array<BElements>;
@group(0) @binding(B_TABLE_BINDING_) var<storage, read> b_table: array<f32>;

fn in_b_x(at: vec4i) -> vec4f {
  //#if QUADS
  return vec4f(b_x[quad_of(at)]);
  //#else
  return vec4f(vec4<B_ELEMENT_>(b_x[at.x], b_x[at.y], b_x[at.z], b_x[at.w]));
  //#endif
}
//#endif
//#if B_ACTIVATION

@group(0) @binding(B_TABLE_BINDING_) var<storage, read> b_table: array<f32>;

// Scale and shift of four columns' channels.
fn affine_of(channel: vec4i) -> mat2x4f {
  let scale = channel + params.b_table_first;
  let shift = scale + params.b_table_channels;
  return mat2x4f(
    vec4f(b_table[scale.x], b_table[scale.y], b_table[scale.z], b_table[scale.w]),
    vec4f(b_table[shift.x], b_table[shift.y], b_table[shift.z], b_table[shift.w]),
  );
}
//#endif

// Factors of inner index k, the same for all columns: scale and shift, or p, q and s.
fn inner_factors(columns: Columns, k: i32) -> vec3f {
  //#if B_INNER
  //#if MASKED
  let at = params.b_table_first + columns.channel + min(k, params.inner - 1);
  //#else
  let at = params.b_table_first + columns.channel + k;
  //#endif
  //#if B_GRADIENT
  return vec3f(b_table[at], b_table[at + params.b_table_channels], b_table[at + 2 * params.b_table_channels]);
  //#else
  return vec3f(b_table[at], b_table[at + params.b_table_channels], 0);
  //#endif
  //#else
  return vec3f();
  //#endif
}

// An index that may be read: the first element for what is not valid.
fn readable(index: vec4i, valid: vec4<bool>) -> vec4i {
  //#if MASKED
  return select(vec4i(0), index, valid);
  //#else
  return index;
  //#endif
}

fn value_of_b(columns: Columns, index: vec4i, valid: vec4<bool>, factors: vec3f) -> vec4f {
  //#if WHOLE_WALKS
  let at = index;
  //#else
  let at = readable(index, valid);
  //#endif
  let value = in_b(at);
  //#if B_ACTIVATION
  //#if B_INNER
  let y = fma(vec4f(factors.x), value, vec4f(factors.y));
  //#else
  let y = fma(columns.affine[0], value, columns.affine[1]);
  //#endif
  //#if B_RELU
  return relu(y);
  //#else
  return y;
  //#endif
  //#else
  //#if B_GRADIENT
  let x = in_b_x(readable(index + columns.apart, valid));
  return fma(vec4f(factors.x), value, fma(vec4f(factors.y), x, vec4f(factors.z)));
  //#else
  return value;
  //#endif
  //#endif
}

// B at inner index k of four columns; `factors` are inner_factors of k.
fn load_b(columns: Columns, walk: Walk, k: i32, factors: vec3f) -> vec4f {
  let index = walk.start + k * params.b_inner;
  //#if MASKED
  //#if WHOLE_WALKS
  let valid = walk.end > vec4i(0);
  //#else
  let valid = (vec4i(k) >= walk.first) & (vec4i(k) < walk.end);
  //#endif
  return select(vec4f(0), value_of_b(columns, index, valid, factors), valid);
  //#else
  return value_of_b(columns, index, vec4<bool>(true), factors);
  //#endif
}
