// The entry point of kernels on rows that are independent: row r of params.rows is run(r, lane). With TEAM a workgroup of LANES_ threads shares a row:
// lane l takes elements l, l + STEP, ... and the results of the lanes meet in workgroup memory in a fixed order.
// Without TEAM each thread has a row to itself: STEP is 1 and nothing is shared.
//#if TEAM
const STEP: u32 = LANES_;
var<workgroup> lane_values: array<f32, LANES_>;

fn row_number(workgroup: vec3u, workgroups: vec3u, local: u32) -> u32 {
  return workgroup.x + workgroup.y * workgroups.x;
}

fn lane_number(local: u32) -> u32 {
  return local;
}

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

fn max_lanes(value: f32, lane: u32) -> f32 {
  return value;
}
//#endif

@compute @workgroup_size(LANES_)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_number(workgroup, workgroups, local);
  if (row < params.rows) {
    run(row, lane_number(local));
  }
}
