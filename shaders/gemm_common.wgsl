// What both GEMM skeletons share. For every group g:
//
//   C[row, column] = bias + sum over outer and inner of A[row, (outer, inner)] * B[(outer, inner), column]
//
// The included loader says where the operands lie. Along `inner` both are affine; at each outer index B's columns begin
// anew and may be valid for part of the inner axis only (zero elsewhere: a convolution's padding). Some rows and four
// columns are walked at a time, as vectors of element indices:
//   a_rows(row, group), a_outer(outer)                 index in A at inner 0 is their sum
//   b_columns(column, group), b_walk(columns, outer)   index in B at inner 0, and the valid inner indices
//   c_columns(column, group)                           index in C of row 0
// An outer index is a pair (major, minor), so that going through them takes no division.
// A long sum may be split over workgroups: split s writes its part to C + s * c_length, gemm_sum_splits adds them.
//
// RAGGED: the inner axis is no multiple of the inner indices taken at a time. MASKED: it is not, or walks may leave B.
// WHOLE_WALKS: a walk lies inside B as a whole or not at all, and not RAGGED. QUADS: columns 4 i to 4 i + 3 lie side by side in B and in C,
// at multiples of four, and are read and written as one vector.
//
// The include `load` reads elements of A and B, the include `store` writes those of C.
//
// Bindings: a, b: operands in whatever layout the loader reads; c: result, or partial results [splits][c_length];
// then those of `load` and `store`. Each may be stored in a type of its own; what is computed is f32.

//#if QUADS
alias BElements = vec4<B_ELEMENT_>;
alias CElements = vec4<C_ELEMENT_>;
//#else
alias BElements = B_ELEMENT_;
alias CElements = C_ELEMENT_;
//#endif
@group(0) @binding(0) var<storage, read> a: array<A_ELEMENT_>;
@group(0) @binding(1) var<storage, read> b: array<BElements>;
@group(0) @binding(2) var<storage, read_write> c: array<CElements>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

// Rows are taken four or three at a time: their numbers or places in A, and elements of A with their factors.
//#if FOUR_ROWS
alias Rows = vec4i;
alias RowValues = vec4f;
alias RowFactors = mat3x4f;
const ROWS_AT_ONCE = 4;
//#else
alias Rows = vec3i;
alias RowValues = vec3f;
alias RowFactors = mat3x3f;
const ROWS_AT_ONCE = 3;
//#endif

// B's elements at inner index k lie at start + k * b_inner; they count as zero outside first <= k < end.
struct Walk {
  start: vec4i,
  first: vec4i,
  end: vec4i,
}

// A walk along all of the inner axis or none of it, which then starts where it may read.
fn whole_walk(start: vec4i, inside: vec4<bool>) -> Walk {
  //#if MASKED
  return Walk(select(vec4i(0), start, inside), vec4i(0), select(vec4i(0), vec4i(params.inner), inside));
  //#else
  return Walk(start, vec4i(0), vec4i(params.inner));
  //#endif
}

//#include loader

//#if QUADS

// The number of the vector in which four columns' elements lie. A shift: indices are never negative.
fn quad_of(at: vec4i) -> i32 {
  return at.x >> 2;
}
//#endif

struct Tile {
  group: i32,
  split: i32,
  row: i32,
  column: i32,
}

// Neighbouring workgroups share columns of B, so that these stay in the cache.
fn tile_of(workgroup: u32) -> Tile {
  var rest = i32(workgroup);
  let row = rest % params.row_tiles;
  rest /= params.row_tiles;
  let column = rest % params.column_tiles;
  rest /= params.column_tiles;
  return Tile(rest / params.splits, rest % params.splits, row, column);
}

// Where a segment begins on the inner axis, and its outer index.
struct Place {
  first: i32,
  outer: vec2i,
}

fn outer_of(index: i32) -> vec2i {
  let major = index / params.outer_minor;
  return vec2i(major, index - major * params.outer_minor);
}

fn place_of(segment: i32) -> Place {
  let outers = params.outer_major * params.outer_minor;
  let chunk = segment / outers;
  return Place(chunk * params.chunk, outer_of(segment - chunk * outers));
}

fn next_place(place: Place) -> Place {
  if (place.outer.y + 1 < params.outer_minor) {
    return Place(place.first, vec2i(place.outer.x, place.outer.y + 1));
  }
  if (place.outer.x + 1 < params.outer_major) {
    return Place(place.first, vec2i(place.outer.x + 1, 0));
  }
  return Place(place.first + params.chunk, vec2i(0, 0));
}

//#include relu
//#include load
//#include store

fn out_columns(column: vec4i, group: i32) -> Out {
  let inside = min(column, vec4i(params.columns - 1));
  let start = c_columns(inside, group);
  //#if NORM
  return Out(column, start, start + c_apart(inside));
  //#else
  return Out(column, start);
  //#endif
}
