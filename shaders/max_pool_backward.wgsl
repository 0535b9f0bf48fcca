// dx[p, iy, ix] = sum of dy[p, oy, ox] over the outputs whose maximum lies at (iy, ix): a gather, in a fixed order.
//
// dy, indices [planes, out_height, out_width]; dx [planes, in_height, in_width]. With BLOCKS (see lib_window) a thread makes
// `run` neighbouring blocks and loads each window once for a block, else `run` neighbouring positions.
//#include threads
//#include window
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
//#if BLOCKS

fn run(thread: u32) {
  let row = i32(thread / params.runs);
  let first = (i32(thread) - row * i32(params.runs)) * params.run;
  let plane = row / params.block_rows;
  let block_y = row - plane * params.block_rows;
  for (var block_x = first; block_x < min(first + params.run, params.block_columns); block_x++) {
    var places: array<i32, WINDOWS>;
    var gradients: array<f32, WINDOWS>;
    for (var k = 0; k < WINDOWS; k++) {
      let reader = block_reader(block_y, block_x, k);
      let at = (plane * params.out_height + reader.y) * params.out_width + reader.x;
      places[k] = select(-1, indices[at], reader.inside);
      gradients[k] = dy[at];
    }
    for (var i = 0; i < STRIDE_Y_ * STRIDE_X_; i++) {
      let position = block_position(block_y, block_x, i);
      if (position.inside) {
        let place = position.y * params.in_width + position.x;
        var sum = 0.0;
        for (var k = 0; k < WINDOWS; k++) {
          sum += select(0.0, gradients[k], places[k] == place);
        }
        dx[plane * params.in_height * params.in_width + place] = sum;
      }
    }
  }
}
//#else

fn run(thread: u32) {
  let row = i32(thread / params.runs);
  let first = (i32(thread) - row * i32(params.runs)) * params.run;
  let plane = row / params.in_height;
  let iy = row - plane * params.in_height;
  let rows = readers_y(iy);
  for (var ix = first; ix < min(first + params.run, params.in_width); ix++) {
    let columns = readers_x(ix);
    let place = iy * params.in_width + ix;
    var sum = 0.0;
    for (var ky = 0; ky < READERS_Y_; ky++) {
      let oy = reader(rows, ky, params.out_height);
      let base = (plane * params.out_height + oy.place) * params.out_width;
      for (var kx = 0; kx < READERS_X_; kx++) {
        let ox = reader(columns, kx, params.out_width);
        let chosen = indices[base + ox.place] == place && oy.inside && ox.inside;
        sum += select(0.0, dy[base + ox.place], chosen);
      }
    }
    dx[row * params.in_width + ix] = sum;
  }
}
//#endif
