// One pass of max or min with its place: value[o, s, i] = the extreme x[o, r, i] over s * chunk <= r < (s + 1) * chunk
// and index[o, s, i] = the first r that has it. A NaN counts as the extreme, as in PyTorch. Elements are of TYPE_.
//
// x [outer, reduce, inner]; value, index [outer, splits, inner]. One thread makes one output. In later passes (LATER)
// x holds the values of the splits before and `place` their indices.
//#include threads
//#include nan
struct Params { threads: u32, splits: u32, reduce: u32, inner: u32, chunk: u32 }

@group(0) @binding(0) var<storage, read> x: array<TYPE_>;
@group(0) @binding(1) var<storage, read_write> value: array<TYPE_>;
@group(0) @binding(2) var<storage, read_write> index: array<i32>;
//#if LATER
@group(0) @binding(3) var<storage, read> place: array<i32>;
@group(0) @binding(4) var<uniform> params: Params;
//#else
@group(0) @binding(3) var<uniform> params: Params;
//#endif

fn beats(candidate: TYPE_, best: TYPE_) -> bool {
//#if FLOAT
  return !is_nan(best) && (is_nan(candidate) || BEATS_);
//#else
  return BEATS_;
//#endif
}

fn run(row: u32) {
  let rest = row / params.inner;
  let outer = rest / params.splits;
  let start = (rest - outer * params.splits) * params.chunk;
  let end = min(start + params.chunk, params.reduce);
  var at = (outer * params.reduce + start) * params.inner + (row - rest * params.inner);
  var best = x[at];
  var best_r = start;
  var best_at = at;
  for (var r = start + 1u; r < end; r++) {
    at += params.inner;
    let candidate = x[at];
    if (beats(candidate, best)) {
      best = candidate;
      best_r = r;
      best_at = at;
    }
  }
  value[row] = best;
//#if LATER
  index[row] = place[best_at];
//#else
  index[row] = i32(best_r);
//#endif
}
