// Loads of GEMMs in registers: A and B at four inner indices at a time.

// A of one row at inner indices k, k + 1, k + 2, k + 3. Beyond the inner axis both A and B are zero: an infinity times zero
// would be NaN.
fn along_inner(row_start: i32, apart: i32, row_factors: vec3f, k: i32) -> vec4f {
  let factors = mat3x4f(vec4f(row_factors.x), vec4f(row_factors.y), vec4f(row_factors.z));
  //#if RAGGED
  let inner = k + vec4i(0, 1, 2, 3);
  let values = load_a(row_start + min(inner, vec4i(params.inner - 1)) * params.a_inner, apart, factors);
  return select(vec4f(0), values, inner < vec4i(params.inner));
  //#else
  return load_a(row_start + (k + vec4i(0, 1, 2, 3)) * params.a_inner, apart, factors);
  //#endif
}

// B of four columns at inner indices k, k + 1, k + 2, k + 3.
fn four_of_b(columns: Columns, walk: Walk, k: i32, factors: mat4x3f) -> mat4x4f {
  return mat4x4f(
    load_b(columns, walk, k, factors[0]),
    load_b(columns, walk, k + 1, factors[1]),
    load_b(columns, walk, k + 2, factors[2]),
    load_b(columns, walk, k + 3, factors[3]),
  );
}

// inner_factors of four inner indices.
fn four_factors(columns: Columns, k: i32) -> mat4x3f {
  return mat4x3f(
    inner_factors(columns, k),
    inner_factors(columns, k + 1),
    inner_factors(columns, k + 2),
    inner_factors(columns, k + 3),
  );
}
