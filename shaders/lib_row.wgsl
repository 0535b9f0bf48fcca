// The entry point of kernels on rows that are independent: row r of params.rows is run(r, lane). With TEAM a workgroup of LANES_ threads shares a row:
// lane l takes elements l, l + STEP, ... and the results of the lanes meet in a fixed tree: lanes l and l + STEP / 2 first,
// neighbours last. With SUBGROUPS the tree's leaves meet in workgroup memory and its last SUBGROUP_ results by shuffles within
// each subgroup: the same tree, hence the same bits, with 2 barriers instead of one a level.
// Without TEAM each thread has a row to itself: STEP is 1 and nothing is shared.
//#if TEAM
const STEP: u32 = LANES_;
var<workgroup> lane_values: array<f32, LANES_>;
var<workgroup> lane_pairs: array<vec2f, LANES_>;

fn row_number(workgroup: vec3u, workgroups: vec3u, local: u32) -> u32 {
  return workgroup.x + workgroup.y * workgroups.x;
}

fn lane_number(local: u32) -> u32 {
  return local;
}

//#if SUBGROUPS
// Results that meet by shuffles; no subgroup is smaller. Larger ones compute them several times.
const ACROSS: u32 = SUBGROUP_;
// Results that each lane takes from workgroup memory: those of lanes slot, slot + ACROSS, ...
const APART: u32 = STEP / ACROSS;
// The lane's place in its subgroup, modulo ACROSS. Which lanes make up a subgroup does not matter.
var<private> slot: u32;

// Sum of `value` over the lanes, known to all of them. Every lane must call it.
fn sum_lanes(value: f32, lane: u32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
  var parts: array<f32, APART>;
  for (var i = 0u; i < APART; i++) {
    parts[i] = lane_values[slot + i * ACROSS];
  }
  workgroupBarrier();
  for (var half = APART / 2u; half > 0u; half /= 2u) {
    for (var i = 0u; i < half; i++) {
      parts[i] += parts[i + half];
    }
  }
  var total = parts[0];
  for (var width = ACROSS / 2u; width > 0u; width /= 2u) {
    total += subgroupShuffleXor(total, width);
  }
  return total;
}

// Two sums at once.
fn sum_lane_pairs(value: vec2f, lane: u32) -> vec2f {
  lane_pairs[lane] = value;
  workgroupBarrier();
  var parts: array<vec2f, APART>;
  for (var i = 0u; i < APART; i++) {
    parts[i] = lane_pairs[slot + i * ACROSS];
  }
  workgroupBarrier();
  for (var half = APART / 2u; half > 0u; half /= 2u) {
    for (var i = 0u; i < half; i++) {
      parts[i] += parts[i + half];
    }
  }
  var total = parts[0];
  for (var width = ACROSS / 2u; width > 0u; width /= 2u) {
    total += subgroupShuffleXor(total, width);
  }
  return total;
}

fn max_lanes(value: f32, lane: u32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
  var largest = lane_values[slot];
  for (var i = 1u; i < APART; i++) {
    largest = max(largest, lane_values[slot + i * ACROSS]);
  }
  workgroupBarrier();
  for (var width = ACROSS / 2u; width > 0u; width /= 2u) {
    largest = max(largest, subgroupShuffleXor(largest, width));
  }
  // Of 0 and -0, and of a number and a NaN, lanes may have found another one.
  return subgroupBroadcast(largest, 0u);
}
//#else
// Sum of `value` over the lanes, known to all of them. Every lane must call it.
fn sum_lanes(value: f32, lane: u32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
  for (var width = STEP / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_values[lane] += lane_values[lane + width];
    }
    workgroupBarrier();
  }
  let total = lane_values[0];
  workgroupBarrier();
  return total;
}

// Two sums at once.
fn sum_lane_pairs(value: vec2f, lane: u32) -> vec2f {
  lane_pairs[lane] = value;
  workgroupBarrier();
  for (var width = STEP / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_pairs[lane] += lane_pairs[lane + width];
    }
    workgroupBarrier();
  }
  let total = lane_pairs[0];
  workgroupBarrier();
  return total;
}

fn max_lanes(value: f32, lane: u32) -> f32 {
  lane_values[lane] = value;
  workgroupBarrier();
  for (var width = STEP / 2u; width > 0u; width /= 2u) {
    if (lane < width) {
      lane_values[lane] = max(lane_values[lane], lane_values[lane + width]);
    }
    workgroupBarrier();
  }
  let largest = lane_values[0];
  workgroupBarrier();
  return largest;
}
//#endif
//#else
const STEP = 1u;

fn row_number(workgroup: vec3u, workgroups: vec3u, local: u32) -> u32 {
  return (workgroup.x + workgroup.y * workgroups.x) * LANES_ + local;
}

fn lane_number(local: u32) -> u32 {
  return 0u;
}

fn sum_lanes(value: f32, lane: u32) -> f32 {
  return value;
}

fn sum_lane_pairs(value: vec2f, lane: u32) -> vec2f {
  return value;
}

fn max_lanes(value: f32, lane: u32) -> f32 {
  return value;
}
//#endif

@compute @workgroup_size(LANES_)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
//#if SUBGROUPS
  @builtin(subgroup_invocation_id) subgroup_local: u32,
//#endif
) {
//#if SUBGROUPS
  slot = subgroup_local % ACROSS;
//#endif
  let row = row_number(workgroup, workgroups, local);
  if (row < params.rows) {
    run(row, lane_number(local));
  }
}
