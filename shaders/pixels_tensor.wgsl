// Last pass from a picture to a tensor: y[picture] [3, height, width] f32 = (pixel - mean) / std. With RESIZED a pixel is made of lines
// [params.lines, width] (pixels_columns), weighed to the rows of the result; without, it is the source's. A thread makes one pixel.
// A video's frame of another size than expected gives NaN.
//#include pixels
//#if RESIZED
//#include weights
@group(0) @binding(2) var<storage, read> lines: array<Line>;
//#else
//#if SRGB
//#include srgb
//#endif
//#include source
//#endif
//#include nan

@group(0) @binding(3) var<storage, read_write> y: array<f32>;

//#if BYTES
fn normalized(pixel: Pixel) -> vec3f {
  let table = params.width * params.column_record + params.height * params.row_record;
  let at = vec3u(table) + vec3u(0u, 256u, 512u) + pixel;
  return vec3f(bitcast<f32>(taps[at.x]), bitcast<f32>(taps[at.y]), bitcast<f32>(taps[at.z]));
}
//#else
fn normalized(pixel: Pixel) -> vec3f {
  return (pixel - params.mean.xyz) / params.deviation.xyz;
}
//#endif

fn value_at(column: u32, row: u32) -> vec3f {
//#if RESIZED
  let record = params.width * params.column_record + row * params.row_record;
  let first = taps[record] - params.first_line;
  let count = taps[record + 1u];
  var sum = Pixel(START);
  for (var k = 0u; k < count; k++) {
    let line = lines[(first + k) * params.width + column];
//#if EXTERNAL
    if (line == UNKNOWN) {
      return vec3f(not_a_number());
    }
//#endif
    sum += weight_at(record + 2u + k) * unpack(line);
  }
  return normalized(pixel_of(sum));
//#else
  if (!is_source_known()) {
    return vec3f(not_a_number());
  }
  return normalized(source_pixel(column, row));
//#endif
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height) {
    return;
  }
  let value = value_at(id.x, id.y);
  let area = params.width * params.height;
  let at = 3u * params.picture * area + id.y * params.width + id.x;
  y[at] = value.x;
  y[at + area] = value.y;
  y[at + 2u * area] = value.z;
}
