// dx[p, iy, ix] = sum of dy[p, oy, ox] / divisor over the outputs whose window holds (iy, ix): a gather.
//
// dy [planes, out_height, out_width]; dx [planes, in_height, in_width].
//#include threads
//#include window
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn run(thread: u32) {
  let row = i32(thread / params.runs);
  let first = (i32(thread) - row * i32(params.runs)) * params.run;
  let plane = row / params.in_height;
  let rows = readers_y(row - plane * params.in_height);
  for (var ix = first; ix < min(first + params.run, params.in_width); ix++) {
    let columns = readers_x(ix);
    var sum = 0.0;
    for (var oy = rows.x; oy < rows.y; oy++) {
      let height = window_y(oy).divisor;
      let base = (plane * params.out_height + oy) * params.out_width;
      for (var ox = columns.x; ox < columns.y; ox++) {
        sum += dy[base + ox] / f32(height * window_x(ox).divisor);
      }
    }
    dx[row * params.in_width + ix] = sum;
  }
}
