// y[p, oy, ox] = largest x[p, iy, ix] in the window of (oy, ox); a NaN is the largest. Padding never is.
//
// x [planes, in_height, in_width]; y [planes, out_height, out_width]; with INDICES also the place iy * in_width + ix of
// the first maximum, the same shape. A window without positions gives -infinity and -1.
//#include window
//#include nan
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
//#if INDICES
@group(0) @binding(2) var<storage, read_write> indices: array<i32>;
@group(0) @binding(3) var<uniform> params: Params;
//#else
@group(0) @binding(2) var<uniform> params: Params;
//#endif

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let thread = (workgroup.x + workgroup.y * workgroups.x) * 64u + local;
  if (thread >= params.threads) {
    return;
  }
  let row = i32(thread / params.runs);
  let first = (i32(thread) - row * i32(params.runs)) * params.run;
  let plane = row / params.out_height;
  let base = plane * params.in_height * params.in_width;
  let rows = window_y(row - plane * params.out_height);
  for (var ox = first; ox < min(first + params.run, params.out_width); ox++) {
    let columns = window_x(ox);
    var best = negative_infinity();
    var place = -1;
    for (var iy = rows.start; iy < rows.end; iy += params.dilation_y) {
      for (var ix = columns.start; ix < columns.end; ix += params.dilation_x) {
        let candidate = iy * params.in_width + ix;
        let value = x[base + candidate];
        if (place < 0 || is_nan(value) || (value > best && !is_nan(best))) {
          best = value;
          place = candidate;
        }
      }
    }
    y[row * params.out_width + ox] = best;
//#if INDICES
    indices[row * params.out_width + ox] = place;
//#endif
  }
}
