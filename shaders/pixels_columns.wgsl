// First pass of resizing a picture: lines [params.lines, width], each a line of the crop weighed to the columns of the result. A thread makes
// one pixel of a line.
//#include pixels
//#include weights
//#if SRGB
//#include srgb
//#endif
//#include source

@group(0) @binding(2) var<storage, read_write> lines: array<Line>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.lines) {
    return;
  }
  let record = id.x * params.column_record;
  let first = taps[record];
  let count = taps[record + 1u];
  var sum = Pixel(START);
  for (var k = 0u; k < count; k++) {
    sum += weight_at(record + 2u + k) * source_pixel(first + k, params.first_line + id.y);
  }
  let at = id.y * params.width + id.x;
//#if EXTERNAL
  if (!is_source_known()) {
    lines[at] = UNKNOWN;
    return;
  }
//#endif
  lines[at] = pack(pixel_of(sum));
}
