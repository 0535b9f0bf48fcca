// y[p, oy, ox] = largest x[p, iy, ix] in the window of (oy, ox); a NaN is the largest. Padding never is.
//
// x [planes, in_height, in_width]; y [planes, out_height, out_width]; with INDICES also the place iy * in_width + ix of
// the first maximum, [planes, out_height, out_width]. A window without positions gives -infinity and -1. x may be computed in
// the load, see lib_pool_view.
//#include threads
//#include window
//#include view
//#include nan
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
//#if INDICES
@group(0) @binding(INDICES_BINDING_) var<storage, read_write> indices: array<i32>;
//#endif
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

// Whether `value` follows `best` as the maximum: a NaN always, and a number that is larger than a number.
fn follows(value: f32, best: f32) -> bool {
//#if RELU
  // Neither is negative: as whole numbers their bits have the numbers' order, and those of a NaN are above.
  let bits = bitcast<u32>(value);
  return bits > bitcast<u32>(best) || bits > 0x7f800000u;
//#else
  return is_nan(value) || (value > best && !is_nan(best));
//#endif
}

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
    var best = negative_infinity();
    var place = -1;
    for (var ky = 0; ky < TAPS_Y_; ky++) {
      let iy = tap(rows, ky, params.in_height, params.dilation_y);
      for (var kx = 0; kx < TAPS_X_; kx++) {
        let ix = tap(columns, kx, params.in_width, params.dilation_x);
        let candidate = iy.place * params.in_width + ix.place;
        let value = activated(x[x_base + candidate], affine);
        let better = (place < 0 || follows(value, best)) && iy.inside && ix.inside;
        best = select(best, value, better);
        place = select(place, candidate, better);
      }
    }
    y[y_base + ox] = best;
//#if INDICES
    indices[row * params.out_width + ox] = place;
//#endif
  }
}
