// losses[n] = sum_c target[n, c] * (logsumexp(logits[n]) - logits[n, c]); without SOFT the target is a class and the
// loss logsumexp(logits[n]) - logits[n, target[n]], NaN for a class outside 0 .. size - 1.
//
// logits [rows, size]; target [rows, size] f32 with SOFT, else [rows] i32; losses [rows].
//#include row
//#include nan
struct Params { rows: u32, size: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
//#if SOFT
@group(0) @binding(1) var<storage, read> labels: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> labels: array<i32>;
//#endif
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(LANES_)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_number(workgroup, workgroups, local);
  if (row >= params.rows) {
    return;
  }
  let lane = lane_number(local);
  let base = row * params.size;
  var highest = logits[base];
  for (var c = lane; c < params.size; c += STEP) {
    highest = max(highest, logits[base + c]);
  }
  let top = max_lanes(highest, lane);
  var sum = 0.0;
  for (var c = lane; c < params.size; c += STEP) {
    sum += exp_or_nan(logits[base + c] - top);
  }
  let log_total = log_or_nan(sum_lanes(sum, lane));
//#if SOFT
  var weighted = 0.0;
  for (var c = lane; c < params.size; c += STEP) {
    weighted += labels[base + c] * (log_total - (logits[base + c] - top));
  }
  let loss = sum_lanes(weighted, lane);
//#else
  let label = labels[row];
  let inside = label >= 0 && label < i32(params.size);
  let at = base + u32(select(0, label, inside));
  let loss = select(not_a_number(), log_total - (logits[at] - top), inside);
//#endif
  if (lane == 0u) {
    losses[row] = loss;
  }
}
