// A channel of x [batch, channels, length], cut into parts of `planes` images by `piece` positions. A row (see
// lib_row) is a part of a channel: row = part * channels + channel. Lanes lie `width` along positions and
// STEP / width along images. Positions count in ELEMENT_, which is vec4f where VECTOR.
struct Part { channel: u32, first_plane: u32, end_plane: u32, first: u32, end: u32 }

fn part_of(row: u32) -> Part {
  let part = row / params.channels;
  let group = part / params.pieces;
  let first_plane = group * params.planes;
  let first = (part - group * params.pieces) * params.piece;
  return Part(
    row - part * params.channels,
    first_plane,
    min(first_plane + params.planes, params.batch),
    first,
    min(first + params.piece, params.length),
  );
}
//#if VECTOR

fn fold(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
//#else

fn fold(v: f32) -> f32 {
  return v;
}
//#endif
