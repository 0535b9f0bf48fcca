// Kernels for Winograd's F(2x2, 3x3), of one row and inner channel each:
//
//   U[i, j] = (G g G^T)[i, j],   G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1]
//
// g is the 3x3 kernel from inner channel to row; ROTATED: turned by 180 degrees, as the gradient of a conv's input needs it.
// A thread makes the 16 elements of one pair, i.e. thread = row * inner + inner channel.
//
// Bindings: w: kernels, element 0 at row * w_row + inner channel * w_inner; u [16][rows][inner] or
// [rows][inner][16].

//#include threads
struct Params {
  threads: u32,
  inner: u32,
  w_row: u32,
  w_inner: u32,
  // Elements from one pair and from one point (i, j) to the next in u.
  u_pair: u32,
  u_point: u32,
}

@group(0) @binding(0) var<storage, read> w: array<W_ELEMENT_>;
@group(0) @binding(1) var<storage, read_write> u: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// Four combinations of three rows.
fn four_of(row_0: vec3f, row_1: vec3f, row_2: vec3f) -> mat4x3f {
  let half_sum = 0.5 * (row_0 + row_2);
  let half = 0.5 * row_1;
  return mat4x3f(row_0, half_sum + half, half_sum - half, row_2);
}

fn three_at(at: u32) -> vec3f {
  return vec3f(vec3<W_ELEMENT_>(w[at], w[at + 1u], w[at + 2u]));
}

fn run(thread: u32) {
  let row = thread / params.inner;
  let at = row * params.w_row + (thread - row * params.inner) * params.w_inner;
  //#if ROTATED
  let columns = transpose(four_of(three_at(at + 6u).zyx, three_at(at + 3u).zyx, three_at(at).zyx));
  //#else
  let columns = transpose(four_of(three_at(at), three_at(at + 3u), three_at(at + 6u)));
  //#endif
  let half_sum = 0.5 * (columns[0] + columns[2]);
  let half = 0.5 * columns[1];
  // Column j of U.
  let made = mat4x4f(columns[0], half_sum + half, half_sum - half, columns[2]);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      u[thread * params.u_pair + (4u * i + j) * params.u_point] = made[j][i];
    }
  }
}
