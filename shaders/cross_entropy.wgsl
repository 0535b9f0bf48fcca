// losses[n] = sum_c target[n, c] * (logsumexp(logits[n]) - logits[n, c]); without SOFT the target is a class and the
// loss logsumexp(logits[n]) - logits[n, target[n]], NaN for a class outside 0 .. size - 1.
//
// logits [rows, size]; target [rows, size] f32 with SOFT, else [rows] i32; losses [rows].
//#include row
//#include nan
//#include exponentials
struct Params { rows: u32, size: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
//#if SOFT
@group(0) @binding(1) var<storage, read> labels: array<f32>;
//#else
@group(0) @binding(1) var<storage, read> labels: array<i32>;
//#endif
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let base = row * params.size;
  let exponentials = exponentials_of(base, 1u, lane);
  let log_total = log_or_nan(exponentials.total);
//#if SOFT
  var weighted = 0.0;
  for (var c = lane; c < params.size; c += STEP) {
    weighted += labels[base + c] * (log_total - (logits[base + c] - exponentials.top));
  }
  let loss = sum_lanes(weighted, lane);
//#else
  let label = labels[row];
  let inside = label >= 0 && label < i32(params.size);
  let at = base + u32(select(0, label, inside));
  let loss = select(not_a_number(), log_total - (logits[at] - exponentials.top), inside);
//#endif
  if (lane == 0u) {
    losses[row] = loss;
  }
}
