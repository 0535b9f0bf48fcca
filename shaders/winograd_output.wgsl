// Outputs of Winograd's F(2x2, 3x3), of a round of tiles:
//
//   y = A^T m A,   A^T = [1 1 1 0; 0 1 -1 -1]
//
// m is the 4x4 block of products of one tile and one row of C (a channel), y its 2x2 outputs. gemm_store stores them as four columns
// of C, a column being an output pixel (image, y, x).
// A team of `lanes` threads walks `block` tiles of one row, neighbours making neighbouring tiles: a workgroup with TEAM, else part
// of one. A part of the row's statistics is what a team makes with TEAM (its lanes are joined in a fixed order), else what a thread makes.
//
// Bindings: m [16][rows][stride]; c: map, perhaps channels of a wider one: c_image from one image to the next, from c_first on;
// then those of gemm_store.

//#include relu

const LANES = 64u;
const PARTS_PER_TILE = 1;

struct Params {
  groups: i32,
  rows: i32,
  // Columns of C in all rounds, and parts of a row's statistics.
  columns: i32,
  column_tiles: i32,
  c_row: i32,
  c_length: i32,
  c_image: i32,
  c_first: i32,
  tiles_x: i32,
  tiles_of_image: i32,
  height: i32,
  width: i32,
  // Of the round: tiles, elements from one row of m to the next, the first tile and the first part.
  count: i32,
  stride: i32,
  first_tile: i32,
  first_part: i32,
  lanes: i32,
  block: i32,
  blocks: i32,
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
}

alias CElements = C_ELEMENT_;
@group(0) @binding(0) var<storage, read> m: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<CElements>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

struct Tile {
  group: i32,
  split: i32,
}

//#include store

// A^T m for row i of m.
fn in_m(at: i32, step: i32) -> vec4f {
  return vec4f(m[at], m[at + step], m[at + 2 * step], m[at + 3 * step]);
}

// Outputs (0, 0), (0, 1), (1, 0), (1, 1) of the tile in `column` of the round.
fn outputs_of(row: i32, column: i32) -> vec4f {
  let step = params.rows * params.stride;
  let at = row * params.stride + column;
  let row_1 = in_m(at + 4 * step, step);
  let row_2 = in_m(at + 8 * step, step);
  let upper = in_m(at, step) + row_1 + row_2;
  let lower = row_1 - row_2 - in_m(at + 12 * step, step);
  return vec4f(
    upper.x + upper.y + upper.z,
    upper.y - upper.z - upper.w,
    lower.x + lower.y + lower.z,
    lower.y - lower.z - lower.w,
  );
}

// Where these outputs lie. Those beyond the edge lie where the first does, and are not stored.
fn place_of(column: i32) -> Out {
  let tile = params.first_tile + column;
  let image = tile / params.tiles_of_image;
  let in_image = tile - image * params.tiles_of_image;
  let tile_y = in_image / params.tiles_x;
  let y = 2 * tile_y + vec4i(0, 0, 1, 1);
  let x = 2 * (in_image - tile_y * params.tiles_x) + vec4i(0, 1, 0, 1);
  let inside = (y < vec4i(params.height)) & (x < vec4i(params.width));
  let pixel = y * params.width + x;
  let number = select(vec4i(params.columns), image * params.height * params.width + pixel, inside);
  let start = image * params.c_image + params.c_first + select(vec4i(pixel.x), pixel, inside);
  //#if NORM
  return Out(number, start, start + (image * params.c_apart_image + params.c_apart_first));
  //#else
  return Out(number, start);
  //#endif
}
//#if MOMENTS

// Mean, sum of squares around it, and number of elements.
struct Moments {
  mean: f32,
  squares: f32,
  count: f32,
}

fn moments_of(out: Out, values: vec4f) -> Moments {
  let count = dot(select(vec4f(), vec4f(1), out.column < vec4i(params.columns)), vec4f(1));
  let mean = fold(values) / count;
  return Moments(mean, fold(squares_around(mean, out, values)), count);
}

// Chan's formula.
fn join(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  let share = b.count / max(count, 1);
  let apart = b.mean - a.mean;
  return Moments(a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share, count);
}
//#endif
//#if TEAM
//#if MOMENTS

var<workgroup> lane_moments: array<Moments, LANES>;

fn join_lanes(value: Moments, lane: u32) -> Moments {
  lane_moments[lane] = value;
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_moments[lane] = join(lane_moments[lane], lane_moments[lane + width]);
    }
    workgroupBarrier();
  }
  return lane_moments[0];
}
//#endif
//#if NORM

var<workgroup> lane_sums: array<vec2f, LANES>;

fn sum_lanes(value: vec2f, lane: u32) -> vec2f {
  lane_sums[lane] = value;
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_sums[lane] += lane_sums[lane + width];
    }
    workgroupBarrier();
  }
  return lane_sums[0];
}
//#endif
//#endif

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let number = i32(workgroup.x + workgroup.y * workgroups.x);
  //#if TEAM
  let team = number;
  let lane = i32(local);
  //#else
  let thread = number * i32(LANES) + i32(local);
  let team = thread / params.lanes;
  let lane = thread - team * params.lanes;
  //#endif
  let row = team / params.blocks;
  if (row >= params.rows) {
    return;
  }
  let block = team - row * params.blocks;
  let tile = Tile(0, 0);
  let end = min((block + 1) * params.block, params.count);
  //#if NORM
  let norm = norm_of(tile, row);
  var sums = vec2f();
  //#endif
  //#if MOMENTS
  var moments = Moments();
  //#endif
  for (var column = block * params.block + lane; column < end; column += params.lanes) {
    let out = place_of(column);
    //#if NORM
    sums += store(row, norm, out, outputs_of(row, column));
    //#else
    let values = store(tile, row, out, outputs_of(row, column));
    //#if MOMENTS
    moments = join(moments, moments_of(out, values));
    //#endif
    //#endif
  }
  //#if PARTIALS
  //#if TEAM
  let part = params.first_part + block;
  //#if NORM
  let all = sum_lanes(sums, local);
  //#else
  let all = join_lanes(moments, local);
  //#endif
  if (local > 0u) {
    return;
  }
  //#else
  let part = params.first_part + block * params.lanes + lane;
  //#if NORM
  let all = sums;
  //#else
  let all = moments;
  //#endif
  //#endif
  //#if NORM
  store_sums(tile, row, part, all);
  //#else
  store_moments(tile, row, part, all.mean, all.squares, all.count);
  //#endif
  //#endif
}
