// What softmax is made of, for a row of logits at base, base + stride, ...: its maximum, and the sum of exp(logit - maximum), which
// never overflows. Both are NaN or make NaN where the row has one, or an infinity that leaves no other answer.
struct Exponentials { top: f32, total: f32 }

fn exponentials_of(base: u32, stride: u32, lane: u32) -> Exponentials {
  var highest = logits[base];
  for (var r = lane; r < params.size; r += STEP) {
    highest = max(highest, logits[base + r * stride]);
  }
  let top = max_lanes(highest, lane);
  var sum = 0.0;
  for (var r = lane; r < params.size; r += STEP) {
    sum += exp_or_nan(logits[base + r * stride] - top);
  }
  return Exponentials(top, sum_lanes(sum, lane));
}
