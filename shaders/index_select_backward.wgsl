// dx[o, r, i] = sum of dy[o, j, i] over all j with indices[j] = r, in the order of j.
//
// dx [outer, rows, inner], indices [selected], dy [outer, selected, inner]. A thread makes one TYPE_ of dx, f32 or
// vec4f, in which `inner` counts, and looks through all indices: rows that share an index need no atomics.
//#include threads
struct Params { threads: u32, rows: u32, selected: u32, inner: u32 }

@group(0) @binding(0) var<storage, read> dy: array<TYPE_>;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> dx: array<TYPE_>;
@group(0) @binding(3) var<uniform> params: Params;

fn run(thread: u32) {
  let line = thread / params.inner;
  let outer = line / params.rows;
  let row = i32(line - outer * params.rows);
  let base = outer * params.selected * params.inner + (thread - line * params.inner);
  var total = TYPE_(0.0);
  for (var j = 0u; j < params.selected; j++) {
    if (indices[j] == row) {
      total += dy[base + j * params.inner];
    }
  }
  dx[thread] = total;
}
