// dlogits[n, c] = scale * dy * (softmax(logits[n])[c] * total - target[n, c]), where total is the sum of the row's
// target; without SOFT the target is 1 for one class and 0 else, and a class out of range makes the row NaN.
//
// dy [rows] with EACH, else one value for all rows; logits, dlogits [rows, size]; target as in cross_entropy.wgsl.
//#include row
//#include nan
//#include exponentials
struct Params { rows: u32, size: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
//#if SOFT
@group(0) @binding(2) var<storage, read> labels: array<f32>;
//#else
@group(0) @binding(2) var<storage, read> labels: array<i32>;
//#endif
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn run(row: u32, lane: u32) {
  let base = row * params.size;
  let exponentials = exponentials_of(base, 1u, lane);
//#if SOFT
  var weight = 0.0;
  for (var c = lane; c < params.size; c += STEP) {
    weight += labels[base + c];
  }
//#endif
//#if EACH
  let gradient = params.scale * dy[row];
//#else
  let gradient = params.scale * dy[0];
//#endif
//#if SOFT
  let share = sum_lanes(weight, lane) / exponentials.total;
//#else
  let share = 1.0 / exponentials.total;
  let label = labels[row];
  let inside = label >= 0 && label < i32(params.size);
//#endif
  for (var c = lane; c < params.size; c += STEP) {
    let softmax = exp_or_nan(logits[base + c] - exponentials.top) * share;
//#if SOFT
    dlogits[base + c] = gradient * (softmax - labels[base + c]);
//#else
    let hit = select(0.0, 1.0, i32(c) == label);
    dlogits[base + c] = select(not_a_number(), gradient * (softmax - hit), inside);
//#endif
  }
}
