// A picture is cropped, resized, and cut to width x height around its middle: a line of the crop is weighed to width pixels (columns),
// then a column of such lines to height pixels (rows). With BYTES both passes are Pillow's BILINEAR, rounded to bytes, in fixed point
// with 22 bits; without, they are in f32.
//
// taps: a record for each column of the result, then one for each row, each [first pixel, number of pixels, weights, padding], weights
// u32 in fixed point or f32; then with BYTES the table f32 [3, 256] of normalized bytes. Where nothing is resized there are no records.
struct Params {
  left: u32, // the crop's corner in the source
  top: u32,
  width: u32, // of the result
  height: u32,
  first_line: u32, // the crop's lines that the result is made of
  lines: u32,
  column_record: u32, // words
  row_record: u32,
  picture: u32, // number in the batch
  source_width: u32,
  source_height: u32,
  mean: vec4f,
  deviation: vec4f,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> taps: array<u32>;

//#if BYTES
alias Pixel = vec3u;
//#else
alias Pixel = vec3f;
//#endif
