// Outputs of tiles of Winograd's F(2x2, 3x3), which gemm_store stores as four columns of C: (0, 0), (0, 1), (1, 0), (1, 1). A column is
// an output pixel (image, y, x).
//
// Bindings: c: map, perhaps channels of a wider one: c_image from one image to the next, from c_first on.

alias CElements = C_ELEMENT_;
@group(0) @binding(1) var<storage, read_write> c: array<CElements>;

// There are no groups and no splits.
struct Tile {
  group: i32,
  split: i32,
}

// A^T m A, row by row of m:  A^T = [1 1 1 0; 0 1 -1 -1].
fn outputs_of(row_0: vec4f, row_1: vec4f, row_2: vec4f, row_3: vec4f) -> vec4f {
  let upper = row_0 + row_1 + row_2;
  let lower = row_1 - row_2 - row_3;
  return vec4f(
    upper.x + upper.y + upper.z,
    upper.y - upper.z - upper.w,
    lower.x + lower.y + lower.z,
    lower.y - lower.z - lower.w,
  );
}

// Where a tile's outputs lie. Those beyond the edge lie where the first does, and are not stored.
fn place_of(tile: i32) -> Out {
  let image = tile / params.tiles_of_image;
  let in_image = tile - image * params.tiles_of_image;
  let tile_y = in_image / params.tiles_x;
  let y = 2 * tile_y + vec4i(0, 0, 1, 1);
  let x = 2 * (in_image - tile_y * params.tiles_x) + vec4i(0, 1, 0, 1);
  let inside = (y < vec4i(params.c_height)) & (x < vec4i(params.c_width));
  let pixel = y * params.c_width + x;
  let number = select(vec4i(params.columns), image * params.c_height * params.c_width + pixel, inside);
  let start = image * params.c_image + params.c_first + select(vec4i(pixel.x), pixel, inside);
  //#if NORM
  return Out(number, start, start + (image * params.c_apart_image + params.c_apart_first));
  //#else
  return Out(number, start);
  //#endif
}
