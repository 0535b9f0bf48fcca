// y[o, j, i] = x[o, indices[j], i]; params.missing where the index is not a row of x.
//
// x [outer, rows, inner], indices [selected], y [outer, selected, inner]; words are copied as they are. A thread moves
// one TYPE_ = u32 or vec4u, in which `inner` counts.
//#include threads
struct Params { threads: u32, rows: u32, selected: u32, inner: u32, missing: u32 }

@group(0) @binding(0) var<storage, read> x: array<TYPE_>;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<TYPE_>;
@group(0) @binding(3) var<uniform> params: Params;

fn run(thread: u32) {
  let row = thread / params.inner;
  let outer = row / params.selected;
  // A negative index becomes a large one.
  let index = u32(indices[row - outer * params.selected]);
  var value = TYPE_(params.missing);
  if (index < params.rows) {
    value = x[(outer * params.rows + index) * params.inner + (thread - row * params.inner)];
  }
  y[thread] = value;
}
