// Input tiles for Winograd's F(2x2, 3x3), of a round of tiles:
//
//   V = B^T d B   of each tile's patch d of each channel; see lib_winograd_patch
//
// A thread makes the 16 elements of one tile of one channel; neighbours make neighbouring tiles. Columns beyond the round's tiles
// become zero.
//
// Bindings: v [16][channels][stride]; those of lib_winograd_patch.

//#include threads
//#include relu
struct Params {
  threads: u32,
  channels: i32,
  // Of the round: tiles, those rounded up, elements from one row of v to the next, and the first tile.
  count: i32,
  columns: i32,
  stride: i32,
  first_tile: i32,
  //#include patch_fields
}

@group(0) @binding(0) var<storage, read_write> v: array<f32>;
@group(0) @binding(PARAMS_BINDING_) var<uniform> params: Params;

//#include patch

fn run(thread: u32) {
  let channel = i32(thread) / params.columns;
  let column = i32(thread) - channel * params.columns;
  let made = transformed(patch_of(params.first_tile + column, column < params.count), channel);
  let step = params.channels * params.stride;
  var at = channel * params.stride + column;
  for (var i = 0; i < 4; i++) {
    v[at] = made[i].x;
    v[at + step] = made[i].y;
    v[at + 2 * step] = made[i].z;
    v[at + 3 * step] = made[i].w;
    at += 4 * step;
  }
}
