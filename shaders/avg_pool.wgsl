// y[p, oy, ox] = mean of x[p, iy, ix] over the window of (oy, ox); with COUNT_PADDING zeros of the padding count.
//
// x [planes, in_height, in_width]; y [planes, out_height, out_width]; x may be computed in the load, see lib_pool_view.
//#include threads
//#include window
//#include view
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

fn run(thread: u32) {
  let row = i32(thread / params.runs);
  let first = (i32(thread) - row * i32(params.runs)) * params.run;
  let plane = row / params.out_height;
  let oy = row - plane * params.out_height;
  let rows = window_y(oy);
  let x_base = x_plane(plane);
  let y_base = y_plane(plane) + oy * params.out_width;
  let affine = affine_of(plane);
  for (var ox = first; ox < min(first + params.run, params.out_width); ox++) {
    let columns = window_x(ox);
    var sum = 0.0;
    for (var ky = 0; ky < TAPS_Y_; ky++) {
      let iy = tap(rows, ky, params.in_height, 1);
      let base = x_base + iy.place * params.in_width;
      for (var kx = 0; kx < TAPS_X_; kx++) {
        let ix = tap(columns, kx, params.in_width, 1);
        sum += select(0.0, activated(x[base + ix.place], affine), iy.inside && ix.inside);
      }
    }
    y[y_base + ox] = sum / f32(rows.divisor * columns.divisor);
  }
}
