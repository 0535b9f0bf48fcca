// Outputs of Winograd's F(2x2, 3x3), of a round of tiles:
//
//   y = A^T m A
//
// m is the 4x4 block of products of one tile and one row of C (a channel), y its 2x2 outputs; see lib_winograd_place.
// A team of `lanes` threads walks `block` tiles of one row, neighbours making neighbouring tiles: a workgroup with TEAM, else part
// of one. A part of the row's statistics is what a team makes with TEAM (its lanes are joined in a fixed order), else what a thread makes.
//
// Bindings: m [16][rows][stride]; c; then those of gemm_store.

//#include relu

const LANES = 64u;
const PARTS_PER_TILE = 1;

struct Params {
  tiles_x: i32,
  tiles_of_image: i32,
  // Of the round: tiles, elements from one row of m to the next, the first tile and the first part.
  count: i32,
  stride: i32,
  first_tile: i32,
  first_part: i32,
  lanes: i32,
  block: i32,
  blocks: i32,
  //#include place_fields
}

@group(0) @binding(0) var<storage, read> m: array<f32>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

//#include place
//#include store

// Row of m's 4x4 block.
fn in_m(at: i32, step: i32) -> vec4f {
  return vec4f(m[at], m[at + step], m[at + 2 * step], m[at + 3 * step]);
}

// Outputs of the tile in `column` of the round.
fn outputs_at(row: i32, column: i32) -> vec4f {
  let step = params.rows * params.stride;
  let at = row * params.stride + column;
  return outputs_of(
    in_m(at, step),
    in_m(at + 4 * step, step),
    in_m(at + 8 * step, step),
    in_m(at + 12 * step, step),
  );
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
    let out = place_of(params.first_tile + column);
    //#if NORM
    sums += store(row, norm, out, outputs_at(row, column));
    //#else
    let values = store(tile, row, out, outputs_at(row, column));
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
